//! Every case of `tests/support/body_cases.rs` on a real engine: through sockwarden, where it must be refused and nothing of it may reach
//! the engine, and straight, which shows that what was refused is a danger.

#[path = "../../../tests/support/body_cases.rs"]
mod body_cases;
mod clients;
mod stage;

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use sockwarden_e2e::engine_or_skip;
use sockwarden_e2e::http::{self, Answer};
use sockwarden_e2e::tar::{self, Entry};

use body_cases::{CASES, Case, Engine, Want};
use stage::{Front, Kind, Objects, Stage};

/// How many cases run at the same time.
const LANES: usize = 4;

#[test]
fn every_case_ends_as_it_must_and_every_danger_is_one() {
    let began = Instant::now();
    let stage = Stage::set(engine_or_skip!());
    let before = stand_in(&stage);
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(case) = CASES.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let of_the_host =
                        [case.line, case.body].iter().any(|it| it.contains("{hostnet"));
                    if stage.podman && of_the_host {
                        continue;
                    }
                    let number = CASES.iter().position(|it| std::ptr::eq(it, case)).unwrap();
                    let run = Run { stage: &stage, case, number };
                    for problem in
                        [run.through(), run.straight()].into_iter().filter_map(Result::err)
                    {
                        wrong.lock().unwrap().push(run.line(&problem));
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.extend(what_got_through(&stage));
    if stand_in(&stage) != before {
        wrong.push(format!(
            "the proxy's container was changed\n    {}\n    {before}",
            stand_in(&stage)
        ));
    }
    let refused = CASES.iter().filter(|case| matches!(case.want, Want::Refused(..)));
    let shown =
        refused.clone().filter(|case| matches!(stage.told(case), Engine::Shows(_) | Engine::Does));
    let (refused, shown) = (refused.count(), shown.count());
    let numbers = format!(
        "{} cases: {refused} refused, {} allowed; {shown} dangers shown by asking the engine; {} s",
        CASES.len(),
        CASES.len() - refused,
        began.elapsed().as_secs()
    );
    // Past the test harness's capture.
    let _ = writeln!(std::io::stderr(), "{numbers}");
    assert!(wrong.is_empty(), "{} wrong:\n{}\n{numbers}", wrong.len(), wrong.join("\n"));
}

/// What passes to Docker and not to Podman, which makes more of it, or does not show what an exec in a container reaches.
const REFUSED_FOR_PODMAN: &[&str] = &[
    "a variable without a value",
    "docker-py's exec",
    "an ordinary exec",
    "engines go by the path",
    "starting an exec",
    "a target with a comma",
];

/// What no client may change of the proxy's own container.
fn stand_in(stage: &Stage) -> Value {
    let id = stage.objects.get("{proxyid}");
    let seen = stage.done("GET", &format!("/containers/{id}/json"), &Value::Null);
    let networks = seen["NetworkSettings"]["Networks"].as_object().into_iter().flatten();
    let networks: BTreeSet<&String> = networks.map(|(name, _)| name).collect();
    json!([seen["Name"], seen["State"], seen["HostConfig"], seen["RestartCount"], networks])
}

/// Where everything must be refused, the engine is asked nothing but what the proxy itself wants to know.
fn what_got_through(stage: &Stage) -> Vec<String> {
    let mut wrong = Vec::new();
    let refuses = |front: &&Front| matches!(front.kind, Kind::Refusing | Kind::Guarding);
    for front in stage.fronts.iter().filter(refuses) {
        let requests = front.relay.requests();
        let own = |line: &&String| line.starts_with("GET ") && !line.contains("/archive");
        wrong.extend(
            requests
                .iter()
                .filter(|line| !own(line))
                .map(|line| format!("{:?}: `{line}` reached the engine", front.limits)),
        );
        if requests.is_empty() {
            wrong.push(format!("{:?}: not even the proxy has asked the engine", front.limits));
        }
    }
    let told = stage.swarm.received();
    let allowed = CASES.iter().filter(|it| Kind::of(it) == Kind::Swarm && it.want == Want::Allowed);
    if told.len() != allowed.count() {
        wrong.push(format!("the swarm was told {told:?}"));
    }
    wrong
}

/// One case on the stage.
struct Run<'a> {
    stage: &'a Stage,
    case: &'static Case,
    number: usize,
}

impl Run<'_> {
    /// Through sockwarden.
    fn through(&self) -> Result<(), String> {
        let allowed = self.case.want == Want::Allowed;
        let front = self.stage.front(self.case);
        // A refusal leaves everything as it is; and the proxy's container is one only.
        let fresh: &[&str] = if allowed { &["victim", "other-container"] } else { &[] };
        let scene = self.scene("t", fresh);
        let (method, target, fields, body) = scene.request(self.case);
        let answer = http::over_tcp(front.proxy.address(), &method, &target, &fields, &body)
            .map_err(|error| format!("through sockwarden: {error}"))?;
        scene.remember(&answer);
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        let status = answer.status;
        match self.case.want {
            Want::Allowed if self.stage.podman && REFUSED_FOR_PODMAN.contains(&self.case.about) => {
                let refused = answer.message().starts_with("sockwarden: ");
                if refused { Ok(()) } else { Err(format!("not refused: {status} {said}")) }
            }
            Want::Allowed if success(&answer) => Ok(()),
            // What this engine does not do has passed as well.
            Want::Allowed if self.stage.podman && !answer.message().starts_with("sockwarden") => {
                Ok(())
            }
            Want::Allowed => Err(format!("through sockwarden: {status} {said}")),
            Want::Refused(code, says) => {
                let says = scene.objects.text(says);
                if (status, answer.message().contains(&says)) != (code, true) {
                    return Err(format!(
                        "through sockwarden: want {code} `{says}`, got {status} {said}"
                    ));
                }
                scene.nothing_made()
            }
        }
    }

    /// Straight at the engine.
    fn straight(&self) -> Result<(), String> {
        let told = self.stage.told(self.case);
        if told == Engine::NotTried {
            return Ok(());
        }
        let scene = self.scene("s", &["proxy", "victim", "other-container"]);
        let (method, target, fields, body) = scene.request(self.case);
        let answer = http::over_unix(self.stage.engine.socket(), &method, &target, &fields, &body)
            .map_err(|error| format!("straight: {error}"))?;
        scene.remember(&answer);
        let said = format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body));
        match told {
            Engine::OtherEngines if success(&answer) => {
                Err(format!("straight: this engine does it too: {said}"))
            }
            Engine::Shows(_) | Engine::Does | Engine::Ignores(_) if !success(&answer) => {
                Err(format!("straight: {said}"))
            }
            Engine::Shows(text) | Engine::Ignores(text) => {
                let shown = scene.shown(&answer);
                let text = scene.objects.text(text);
                match (shown.contains(&text), told) {
                    (false, Engine::Shows(_)) => Err(format!("straight: no `{text}` in {shown}")),
                    (true, Engine::Ignores(_)) => Err(format!("straight: `{text}` is in {shown}")),
                    _ => Ok(()),
                }
            }
            Engine::Does | Engine::OtherEngines | Engine::UpTo(..) | Engine::NotTried => Ok(()),
        }
    }

    /// The objects for one way of this case: `fresh` ones where the case changes what it names.
    fn scene(&self, way: &str, fresh: &[&str]) -> Scene<'_> {
        let (stage, case) = (self.stage, self.case);
        let word = format!("{}{way}", self.number);
        let mut objects = stage.objects.clone();
        let mut made = Vec::new();
        if changes_what_it_names(case.line) {
            let names = |kind: &&&str| {
                [case.line, case.body].iter().any(|it| it.contains(&format!("{{{kind}")))
            };
            for kind in fresh.iter().filter(names) {
                made.push(stage.container(&mut objects, kind, &format!("{word}-{kind}")));
            }
        }
        objects.put("{name}", stage.name(&word));
        objects.put("{commit}", format!("{}:made", stage.name(&word)));
        // Where things would be that have the names that the case gives.
        let places =
            ["/containers/{name}", "/volumes/{name}", "/networks/{name}", "/images/{commit}"];
        let given = places.into_iter().filter(|place| {
            let (_, name) = place.rsplit_once('/').unwrap();
            case.line.contains(name) || case.body.contains(name)
        });
        let named = given.map(|place| objects.text(place)).collect();
        Scene { stage, objects, named, containers: made, images: Mutex::default() }
    }

    fn line(&self, problem: &str) -> String {
        let Case { about, limits, line, body, .. } = self.case;
        format!("{about} ({limits:?}) {line} {body}\n    {problem}")
    }
}

/// Whether it changes a container that is there, so that the next case would find another.
fn changes_what_it_names(line: &str) -> bool {
    const CHANGES: &[&str] =
        &["/stop", "/kill", "/restart", "/pause", "/rename", "/update", "/connect", "/disconnect"];
    let path = line.split('?').next().unwrap_or_default();
    line.starts_with("DELETE ")
        || path.ends_with("/commit")
        || CHANGES.iter().any(|change| path.ends_with(change))
}

/// What one request is about, removed when dropped.
struct Scene<'a> {
    stage: &'a Stage,
    objects: Objects,
    named: Vec<String>,
    /// Containers of its own.
    containers: Vec<String>,
    /// The images it has made that have no name.
    images: Mutex<Vec<String>>,
}

type Request = (String, String, Vec<(&'static str, &'static str)>, Vec<u8>);

impl Scene<'_> {
    fn request(&self, case: &Case) -> Request {
        let line = self.objects.text(case.line);
        let (method, target) = line.split_once(' ').unwrap();
        let body = self.objects.text(case.body);
        let (kind, body) = match () {
            () if target.contains("/build?") => ("application/x-tar", self.context()),
            () => ("application/json", body.into_bytes()),
        };
        let fields = if body.is_empty() { vec![] } else { vec![("Content-Type", kind)] };
        (method.to_owned(), target.to_owned(), fields, body)
    }

    /// A build that says which network it is in, and is no other's.
    fn context(&self) -> Vec<u8> {
        let dockerfile = self
            .objects
            .text("FROM {image}\nLABEL made-by={name}\nRUN cat /etc/hosts /proc/net/dev\n");
        tar::archive(&[("Dockerfile", Entry::File(0o644, dockerfile.as_bytes()))])
    }

    fn get(&self, path: &str) -> Answer {
        self.stage.engine.call("GET", path, b"")
    }

    /// The engine has nothing of the names that the case gives.
    fn nothing_made(&self) -> Result<(), String> {
        for path in &self.named {
            let looked = if path.starts_with("/volumes") || path.starts_with("/networks") {
                path.clone()
            } else {
                format!("{path}/json")
            };
            let status = self.get(&looked).status;
            if status != 404 {
                return Err(format!("refused, and yet {looked} is answered with {status}"));
            }
        }
        Ok(())
    }

    /// Remembers an image without a name.
    fn remember(&self, answer: &Answer) {
        let said = String::from_utf8_lossy(&answer.body);
        if let Some((_, rest)) = said.split_once(r#""aux":{"ID":""#)
            && let Some((id, _)) = rest.split_once('"')
        {
            self.images.lock().unwrap().push(id.to_owned());
        }
    }

    /// What the engine shows of what it has made, or of the containers that it was to change.
    fn shown(&self, answer: &Answer) -> String {
        let made = answer.json();
        let (id, name) = (made["Id"].as_str(), made["Name"].as_str());
        let paths = ["/containers/{}/json", "/exec/{}/json", "/networks/{}", "/images/{}/json"];
        let mut paths: Vec<String> =
            id.into_iter().flat_map(|id| paths.map(|path| path.replace("{}", id))).collect();
        paths.extend(name.map(|name| format!("/volumes/{name}")));
        paths.extend(self.containers.iter().map(|id| format!("/containers/{id}/json")));
        let images = self.images.lock().unwrap();
        paths.extend(images.iter().map(|id| format!("/images/{id}/json")));
        let answers = paths.iter().map(|path| self.get(path)).filter(|it| it.status == 200);
        // The steps of a build write into the answer.
        let answers = answers.chain([answer.clone()]);
        answers.map(|it| String::from_utf8_lossy(&it.body).into_owned()).collect()
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        let mut paths = self.named.clone();
        paths.extend(self.containers.iter().map(|id| format!("/containers/{id}")));
        paths.extend(self.images.lock().unwrap().iter().map(|id| format!("/images/{id}")));
        for path in paths {
            self.stage.engine.call("DELETE", &format!("{path}?force=1&v=1&timeout=0"), b"");
        }
    }
}

/// A build has begun well when it fails.
fn success(answer: &Answer) -> bool {
    let failed = String::from_utf8_lossy(&answer.body).contains("\"errorDetail\"");
    (200..300).contains(&answer.status) && !failed
}
