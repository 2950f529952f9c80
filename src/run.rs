//! `serve`: everything put together, from the checked configuration to the exit code.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::admin::Admin;
use crate::admission::AdmissionList;
use crate::audit::Audit;
use crate::bounds::Bounds;
use crate::config::{Assumed, Config};
use crate::engine::{Engine, Watchdog};
use crate::listen::{self, Listener, ListenerAddress};
use crate::policy::Policy;
use crate::proxy::{Proxy, Stop};
use crate::registry::{LabelPolicy, Networks, OwnContainerError, Registry};
use crate::setting::SettingName;
use crate::startup;
use crate::workers::Workers;

/// How long connections get to close after everything that runs was finished or given up.
const CLOSING_DEADLINE: Duration = Duration::from_secs(1);

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Somebody asked for it.
    Asked,
    /// The watchdog found the engine silent and was told to stop then.
    Watchdog,
    /// Something of ours ended that should not have.
    Failed,
}

/// Why serving did not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The engine's socket cannot be used.
    #[error("{0}")]
    Engine(String),
    /// The listener cannot be bound.
    #[error(transparent)]
    Listen(#[from] listen::ListenError),
    /// Our own container was not found.
    #[error(transparent)]
    OwnContainer(#[from] OwnContainerError),
    /// The same, where labels are read because nothing else is said.
    #[error(
        "nothing says who may connect and what is allowed, so sockwarden reads the labels of its clients, and for that it has to find its own container; name it with {own}, or give {from} and {allow}, for example `-allowfrom=traefik -allow=traefik`",
        own = SettingName::ProxyContainerName.set_to("NAME").or_variable(),
        from = SettingName::AllowFrom.or_variable(),
        allow = SettingName::Allow.or_variable()
    )]
    NothingGiven(#[source] OwnContainerError),
    /// The health endpoint cannot be bound.
    #[error("cannot serve the health endpoint on {address}; stop what listens there, or use `sockwarden healthcheck` instead of {setting}", address = crate::admin::HEALTH_ADDRESS, setting = SettingName::AllowHealthCheck)]
    Health(#[source] std::io::Error),
}

/// Serves until `asked` says stop; `ready` gets the bound address once clients can connect.
///
/// # Errors
/// When the engine's socket is unusable or a listener cannot be bound; nothing was served then.
pub async fn serve(
    config: Config,
    workers: Workers,
    asked: impl Future<Output = ()>,
    ready: oneshot::Sender<String>,
) -> Result<Ended, StartError> {
    let engine = Engine::new(&config.engine_socket);
    startup::check_engine_socket(&engine).await.map_err(StartError::Engine)?;
    let listener = Listener::bind(&config.listener)?;
    let health = if config.health_endpoint {
        Some(Admin::bind_health().await.map_err(StartError::Health)?)
    } else {
        None
    };
    let policy = Policy::new(config.default_list(), config.bodies.clone());
    let registry = registry_or_none(&config, &engine).await?;
    let networks = match &registry {
        Some(registry) => registry.networks(),
        None => Arc::new(Networks::new(engine.clone())),
    };
    let admissions = AdmissionList::new(&config.allow_from).asking(networks);
    let workers = Arc::new(workers);
    let bounds = Bounds::new(config.limits, listen::connection_limit());
    let audit = Arc::<Audit>::default();
    let proxy = Arc::new(Proxy::new(
        policy,
        admissions.clone(),
        engine.clone(),
        registry.clone(),
        Arc::clone(&audit),
    ));
    let admin = Arc::new(Admin::new(
        engine.clone(),
        registry.clone(),
        Arc::clone(&bounds),
        Arc::clone(&workers),
        audit,
        proxy.in_force(),
    ));
    let address = listener.address();
    let (stop, stopped) = watch::channel(Stop::Running);

    let mut serving = JoinSet::new();
    serving.spawn(listener.serve(Arc::clone(&proxy), Arc::clone(&bounds), workers, stopped));
    // Tasks that never end in order; if one does, the process must not go on without it.
    let mut running: JoinSet<Ended> = JoinSet::new();
    if let Some(listener) = health {
        let admin = Arc::clone(&admin);
        running.spawn(async move {
            admin.serve_health(listener).await;
            Ended::Failed
        });
    }
    match Admin::bind_private() {
        Ok(listener) => {
            running.spawn(async move {
                admin.serve_private(listener).await;
                Ended::Failed
            });
        }
        Err(error) => {
            tracing::warn!(error = %error, "`sockwarden healthcheck` will not work: its private socket cannot be bound");
        }
    }
    let telling = Arc::clone(&bounds);
    running.spawn(async move {
        telling.keep_telling().await;
        Ended::Failed
    });
    if !admissions.is_static() {
        running.spawn(async move {
            admissions.keep_looking_up().await;
            Ended::Failed
        });
    }
    if let Some(registry) = registry {
        running.spawn(async move {
            registry.keep_fresh().await;
            Ended::Failed
        });
    }
    if let Some(watchdog) = config.watchdog {
        running.spawn(watch_engine(engine.clone(), watchdog));
    }
    // Whoever waits for the address may have gone; the clients have not.
    let _ = ready.send(address.clone());

    let mut asked = std::pin::pin!(asked);
    let ended = {
        let mut reporting = std::pin::pin!(startup::report(&config, &engine, &bounds, &address));
        let mut reported = false;
        loop {
            tokio::select! {
                () = &mut asked => break Ended::Asked,
                Some(ended) = running.join_next(), if !running.is_empty() => break ended.unwrap_or(Ended::Failed),
                _ = serving.join_next() => break Ended::Failed,
                () = &mut reporting, if !reported => reported = true,
            }
        }
    };
    shut_down(&proxy, &stop, config.shutdown_grace, serving).await;
    bounds.tell();
    Ok(ended)
}

/// Knows containers, if per-container allowlists are on.
/// The registry where labels are read. Where that is only assumed, other things are said of it if it cannot be.
async fn registry_or_none(
    config: &Config,
    engine: &Engine,
) -> Result<Option<Arc<Registry>>, StartError> {
    match (registry(config, engine).await, config.assumed) {
        (Ok(registry), _) => Ok(registry),
        (Err(error), Assumed::Labels) => Err(StartError::NothingGiven(error)),
        (Err(error), Assumed::Nothing) => Err(error.into()),
        (Err(error), Assumed::Sections) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "labels are not read, because sockwarden does not find its own container: every client is judged by the variables"
            );
            Ok(None)
        }
    }
}

async fn registry(
    config: &Config,
    engine: &Engine,
) -> Result<Option<Arc<Registry>>, OwnContainerError> {
    let Some(own) = &config.own_container else { return Ok(None) };
    let labels = LabelPolicy {
        prefixes: config.label_prefixes.clone(),
        trust_image_labels: config.trust_image_labels,
        limits: config.bodies.clone(),
    };
    let registry = Registry::new(engine.clone(), own, labels).await?;
    match config.listener {
        ListenerAddress::Tcp(_) => registry.sees_clients().await?,
        ListenerAddress::Unix { .. } => tracing::warn!(
            "labels say nothing about clients on a Unix socket: the default allowlist is for all of them; listen on TCP to recognise containers"
        ),
    }
    Ok(Some(registry))
}

/// Lets running requests finish within the grace time, then closes every stream.
async fn shut_down(
    proxy: &Proxy,
    stop: &watch::Sender<Stop>,
    grace: Duration,
    mut serving: JoinSet<()>,
) {
    tracing::info!(
        grace_seconds = grace.as_secs(),
        "stopping: no new connections, running requests may finish"
    );
    stop.send_replace(Stop::Draining);
    if tokio::time::timeout(grace, proxy.finite_requests_done()).await.is_err() {
        tracing::warn!(
            "requests were still running at the end of the grace time; they are cut off"
        );
    }
    stop.send_replace(Stop::Closing);
    // What has not closed by now is closed with the set.
    let _ = tokio::time::timeout(CLOSING_DEADLINE, serving.join_next()).await;
    tracing::info!("stopped");
}

/// Asks the engine for a sign of life, again and again; ends only when told to stop on silence.
async fn watch_engine(engine: Engine, watchdog: Watchdog) -> Ended {
    let mut clock = tokio::time::interval(watchdog.interval);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut answered = true;
    loop {
        clock.tick().await;
        match engine.ping().await {
            Ok(()) if !answered => {
                answered = true;
                tracing::info!(origin = "watchdog", "the engine answers again");
            }
            Ok(()) => {}
            Err(error) => {
                answered = false;
                tracing::error!(
                    origin = "watchdog",
                    error = &error as &dyn std::error::Error,
                    "the engine does not answer"
                );
                if watchdog.stop {
                    return Ended::Watchdog;
                }
            }
        }
    }
}
