//! Asks the engine about containers, and remembers what cannot change.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use super::entry::Entry;
use super::fresh::Fresh;
use super::known::{Containers, ImageLabels, Known};
use super::shared::{Shared, inspect, lock};
use crate::clauses::Defaults;
use crate::client::{Container, ContainerId, Lineage, Step};
use crate::engine::questions::{ImageInspect, Made};
use crate::engine::{Engine, OwnCall};
use crate::rule::labels::image::Counted;
use crate::rule::labels::{LabelError, Rights};
use crate::setting::SettingName;

/// How long the labels that speak of rights may be together of all containers that have new ones, in bytes.
const MOST_LISTED_LABEL_BYTES: usize = 32 * 1024 * 1024;

/// What labels are read, and how they are weighed.
#[derive(Debug, Clone)]
pub struct LabelPolicy {
    /// The prefixes of labels that carry allowlists.
    pub prefixes: Vec<String>,
    /// Whether labels that come from an image count.
    pub trust_image_labels: bool,
    /// What holds for clients whose labels do not say otherwise.
    pub limits: Defaults,
}

/// The containers of the engine.
#[derive(Debug)]
pub(super) struct Directory {
    engine: Engine,
    labels: Arc<LabelPolicy>,
    known: Known,
    single: Mutex<HashMap<ContainerId, Arc<OneContainer>>>,
    all: Fresh<Result<(), Shared>>,
}

/// The question about one container.
type OneContainer = Fresh<Result<Option<Arc<Container>>, Shared>>;

impl Directory {
    /// Nothing is asked yet.
    pub(super) fn new(engine: Engine, labels: Arc<LabelPolicy>) -> Self {
        Self {
            engine,
            labels,
            known: Known::default(),
            single: Mutex::default(),
            all: Fresh::default(),
        }
    }

    /// What was asked before.
    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    /// A container by its full id; asked for where it is not known.
    pub(super) async fn container(
        &self,
        id: ContainerId,
    ) -> Result<Option<Arc<Container>>, Shared> {
        if let Some(known) = self.known.container(id) {
            return Ok(Some(known));
        }
        self.learn(id).await
    }

    /// Asks the engine about a container and remembers it.
    pub(super) async fn learn(&self, id: ContainerId) -> Result<Option<Arc<Container>>, Shared> {
        let query = Arc::clone(lock(&self.single).entry(id).or_default());
        let result = query
            .get(|| async {
                let row = self.engine.container_row(id).await.map_err(Arc::new)?;
                let Some(entry) = row.and_then(Entry::new) else {
                    self.known.expect_no_longer(id);
                    return Ok(None);
                };
                let owner = self.owner(&entry).await?;
                let container = self.read(entry).await?;
                self.known.remember(Arc::clone(&container), owner);
                Ok(Some(container))
            })
            .await;
        let mut queries = lock(&self.single);
        // The last one to leave takes the question away.
        if queries.get(&id).is_some_and(|query| Arc::strong_count(query) <= 2) {
            queries.remove(&id);
        }
        result
    }

    /// Asks for all containers, and replaces what is known of them as a whole.
    pub(super) async fn list(&self) -> Result<(), Shared> {
        self.all
            .get(|| async {
                let asked = Instant::now();
                let (awaited, renamed) = (self.known.awaited(), self.known.renamed());
                let mut kept = 0;
                let keep = |row| {
                    let mut entry = Entry::new(row)?;
                    kept += entry.label_bytes();
                    if kept > MOST_LISTED_LABEL_BYTES {
                        entry.labels = Err(LabelError::TooManyInAll);
                    }
                    Some(entry)
                };
                let entries = self.engine.containers(keep).await.map_err(Arc::new)?;
                let mut next = Containers::default();
                let mut images = BTreeSet::new();
                for entry in entries {
                    if !images.contains(&entry.image) {
                        images.insert(entry.image.clone());
                    }
                    let owner = self.owner(&entry).await?;
                    let container = match self.known.container(entry.id) {
                        Some(container) if container.name == entry.name => container,
                        _ => self.read(entry).await?,
                    };
                    next.remember(container, owner);
                }
                self.known.replace(next, asked, &images, &awaited, &renamed);
                Ok(())
            })
            .await
    }

    /// Whose network namespace a container shares. It never changes, so an engine whose list does not say is asked once.
    async fn owner(&self, entry: &Entry) -> Result<Option<ContainerId>, Shared> {
        if entry.says_mode {
            return Ok(entry.shares_with);
        }
        if let Ok(owner) = self.known.owner(entry.id) {
            return Ok(owner);
        }
        let inspect = inspect(&self.engine, entry.id).await?;
        Ok(inspect.and_then(|inspect| inspect.host_config.shares_with()))
    }

    /// What an entry of the engine's list says of a container and its rights.
    async fn read(&self, entry: Entry) -> Result<Arc<Container>, Shared> {
        let Entry { id, name, image, step, labels, creator, service, .. } = entry;
        let rights = match labels {
            Ok(labels) => self.rights(&name, &image, labels).await?,
            Err(error) => Rights::Broken([error].into()),
        };
        let image = if service.is_some() { image } else { String::new() };
        let lineage = Lineage { creator, service, image, step, ..Lineage::default() };
        Ok(Arc::new(Container { id, name, rights, lineage }))
    }

    /// What these labels give a container with this image. An image's labels are a stranger's word.
    async fn rights(
        &self,
        name: &str,
        image: &str,
        mut labels: Vec<(String, String)>,
    ) -> Result<Rights, Shared> {
        if labels.is_empty() {
            return Ok(Rights::Unlabelled);
        }
        if !self.labels.trust_image_labels {
            let Some(image) = self.image_labels(image).await? else {
                return Ok(Rights::Broken([LabelError::NoImage].into()));
            };
            let counted = Counted::of(labels, &image, &self.labels.prefixes);
            for key in &counted.passed_over {
                tracing::warn!(
                    container = name,
                    label = key,
                    "a label that comes from the image does not count; set it on the container, or use {}",
                    SettingName::TrustImageLabels
                );
            }
            if !counted.unclear.is_empty() {
                return Ok(Rights::Broken(counted.unclear.into()));
            }
            labels = counted.labels.into_iter().collect();
        }
        let labels = labels.into_iter().collect();
        Ok(self.known.rights(&labels, &self.labels.prefixes))
    }

    /// A container as a client: whether a build made it, as whom it is written on what it creates, and who created it, as they are now; `None`
    /// when it is gone.
    pub(super) async fn client(
        &self,
        container: Arc<Container>,
    ) -> Result<Option<Arc<Container>>, Shared> {
        let Some(step) = self.step(&container).await? else { return Ok(None) };
        let mut lineage = Lineage { step, ..container.lineage.clone() };
        if let Some(creator) = &container.lineage.creator {
            for maker in self.known.may_have_made(creator) {
                self.step(&maker).await?;
            }
            lineage.makers = self.known.made_by(creator);
        }
        // One that was created and says nothing for itself is written as its creator.
        let is_written = !container.is_unlabelled() || !container.lineage.is_created();
        if let Some(service) = container.lineage.service.as_ref().filter(|_| is_written) {
            let image = self.image_labels(&lineage.image).await?;
            lineage.is_own_service = image.is_some_and(|image| !service.is_partly_in(&image));
        }
        Ok(Some(Arc::new(container.with_lineage(lineage))))
    }

    /// A container with whether a build made it, as far as the engine says it.
    pub(super) async fn looked_at(&self, container: Arc<Container>) -> Arc<Container> {
        match self.step(&container).await {
            Ok(Some(step)) if step != container.lineage.step => {
                let lineage = Lineage { step, ..container.lineage.clone() };
                Arc::new(container.with_lineage(lineage))
            }
            _ => container,
        }
    }

    /// Whether a build made a container, which is asked once, and not before somebody needs it: the engine does not say it of one that is just
    /// starting. `None` when it is gone.
    async fn step(&self, container: &Container) -> Result<Option<Step>, Shared> {
        #[cfg(test)]
        if super::mistakes::is_made(super::mistakes::Mistake::TrustsSteps) {
            return Ok(Some(Step::No));
        }
        match self.known.step(container) {
            Step::Unclear => {}
            known => return Ok(Some(known)),
        }
        let id = container.id.to_string();
        let made: Option<Made> =
            self.engine.ask_for(OwnCall::Container(&id)).await.map_err(Arc::new)?;
        let Some(made) = made else { return Ok(None) };
        let step = if made.is_step(self.engine.agreed()) { Step::Yes } else { Step::No };
        self.known.remember_step(container.id, step);
        Ok(Some(step))
    }

    /// The policy labels of an image, by its id, which says what is in it; `None` when the engine no longer has it.
    async fn image_labels(&self, image: &str) -> Result<Option<Arc<ImageLabels>>, Shared> {
        // A step of a build that begins from nothing has none, and the list of all containers must not fail for it.
        if image.is_empty() {
            return Ok(None);
        }
        if let Some(known) = self.known.image(image) {
            return Ok(Some(known));
        }
        let inspect: Option<ImageInspect> =
            self.engine.ask_for(OwnCall::Image(image)).await.map_err(Arc::new)?;
        let Some(inspect) = inspect else { return Ok(None) };
        let labels = Arc::new(inspect.config.and_then(|config| config.labels).unwrap_or_default());
        self.known.remember_image(image, Arc::clone(&labels));
        Ok(Some(labels))
    }
}
