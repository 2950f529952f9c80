use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use super::*;
use crate::engine::Engine;

/// Names with the addresses that they have now; one without never gets an answer.
#[derive(Debug, Clone, Default)]
struct Script(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<&'static str, Option<Vec<&'static str>>>,
    asked: Vec<String>,
}

impl Script {
    fn set(&self, name: &'static str, addresses: &[&'static str]) {
        self.0.lock().unwrap().names.insert(name, Some(addresses.to_vec()));
    }

    fn silence(&self, name: &'static str) {
        self.0.lock().unwrap().names.insert(name, None);
    }

    fn asked(&self, name: &str) -> usize {
        self.0.lock().unwrap().asked.iter().filter(|asked| *asked == name).count()
    }
}

impl Resolver for Script {
    async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let addresses = {
            let mut state = self.0.lock().unwrap();
            state.asked.push(name.to_owned());
            state.names.get(name).cloned()
        };
        match addresses {
            None => Err(io::ErrorKind::NotFound.into()),
            Some(None) => std::future::pending().await,
            Some(Some(addresses)) => {
                Ok(addresses.iter().map(|address| address.parse().unwrap()).collect())
            }
        }
    }
}

/// A list whose names are looked up as scripted.
struct Trial {
    list: AdmissionList<Script>,
    script: Script,
    _looking: JoinSet<()>,
}

impl Trial {
    fn new(entries: &[&str]) -> Self {
        Self::with(entries, |list| list)
    }

    fn with(
        entries: &[&str],
        more: impl FnOnce(AdmissionList<Script>) -> AdmissionList<Script>,
    ) -> Self {
        let script = Script::default();
        let entries: Vec<_> = entries.iter().map(|entry| entry_of(entry)).collect();
        let list = more(AdmissionList::with_resolver(&entries, script.clone()));
        let mut looking = JoinSet::new();
        let looked = list.clone();
        looking.spawn(async move { looked.keep_looking_up().await });
        Self { list, script, _looking: looking }
    }

    /// Checks what a peer gets, and how many milliseconds it waits for that.
    #[track_caller]
    fn check(&self, address: &str, want: Admission, waits: u128) -> impl Future<Output = ()> {
        let at = std::panic::Location::caller();
        let peer = peer(address);
        async move {
            let began = Instant::now();
            assert_eq!(self.list.admission(&peer).await, want, "{peer} at {at}");
            assert_eq!(began.elapsed().as_millis(), waits, "{peer} at {at}");
        }
    }
}

fn entry_of(entry: &str) -> AllowFrom {
    match entry.parse() {
        Ok(net) => AllowFrom::Net(net),
        Err(_) => AllowFrom::Host(entry.to_owned()),
    }
}

fn peer(address: &str) -> Peer {
    let address: IpAddr = address.parse().unwrap();
    Peer::tcp(SocketAddr::new(address, 5), address)
}

/// Lets time pass on the paused clock, with whatever falls due meanwhile.
async fn pass(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

use Admission::{Listed, Unlisted};

#[tokio::test(start_paused = true)]
async fn addresses_networks_and_names_admit() {
    let trial = Trial::new(&["127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32", "good", "lost"]);
    trial.script.set("good", &["172.18.0.2", "::ffff:172.18.0.3"]);
    for listed in
        ["127.0.0.1", "::ffff:127.0.0.1", "10.9.9.9", "2001:db8::1", "172.18.0.2", "172.18.0.3"]
    {
        trial.check(listed, Listed, 0).await;
    }
    for unlisted in ["127.0.0.2", "2001:db9::1", "172.18.0.4", "::1"] {
        trial.check(unlisted, Unlisted, 0).await;
    }
    let everybody = Trial::new(&["0.0.0.0/0"]);
    everybody.check("2001:db8::1", Unlisted, 0).await;
    Trial::new(&[]).check("127.0.0.1", Unlisted, 0).await;
}

#[tokio::test]
async fn the_system_resolves() {
    let list = AdmissionList::new(&[entry_of("localhost"), entry_of("no-such-host.invalid")]);
    let mut looking = JoinSet::new();
    let looked = list.clone();
    looking.spawn(async move { looked.keep_looking_up().await });
    assert_eq!(list.admission(&peer("127.0.0.1")).await, Listed);
    assert_eq!(list.admission(&peer("127.0.0.9")).await, Unlisted);
}

/// Strangers start look-ups that never end; whoever is known, or admitted by another entry, does not notice.
#[tokio::test(start_paused = true)]
async fn a_stranger_delays_nobody_else() {
    let trial = Trial::new(&["10.1.0.0/16", "silent", "good"]);
    trial.script.silence("silent");
    trial.script.set("good", &["10.0.0.2"]);
    trial.check("10.0.0.2", Listed, 0).await;
    let list = trial.list.clone();
    let mut strangers = JoinSet::new();
    for _ in 0..100 {
        let list = list.clone();
        strangers.spawn(async move {
            let began = Instant::now();
            assert_eq!(list.admission(&peer("10.0.0.66")).await, Unlisted);
            began.elapsed()
        });
    }
    for _ in 0..20 {
        trial.check("10.0.0.2", Listed, 0).await;
        trial.check("10.1.0.7", Listed, 0).await;
        pass(150).await;
    }
    while let Some(waited) = strangers.join_next().await {
        assert_eq!(waited.unwrap(), LOOKUP_DEADLINE);
    }
    // One that is not known yet waits for its own name only.
    trial.script.set("good", &["10.0.0.3"]);
    pass(5000).await;
    trial.check("10.0.0.3", Listed, 0).await;
    assert!(trial.script.asked("silent") <= 5, "{}", trial.script.asked("silent"));
}

#[tokio::test(start_paused = true)]
async fn the_last_good_answer_holds_while_it_is_fresh() {
    let trial = Trial::new(&["good"]);
    trial.script.set("good", &["10.0.0.2"]);
    trial.check("10.0.0.2", Listed, 0).await;
    trial.script.silence("good");
    trial.check("10.0.0.3", Unlisted, 0).await;
    pass(1500).await;
    // This starts a look-up beside it, and so does the stranger.
    trial.check("10.0.0.2", Listed, 0).await;
    tokio::task::yield_now().await;
    assert_eq!(trial.script.asked("good"), 2);
    pass(499).await;
    trial.check("10.0.0.2", Listed, 0).await;
    pass(1).await;
    trial.check("10.0.0.2", Unlisted, 2000).await;
}

#[tokio::test(start_paused = true)]
async fn a_belief_is_renewed_beside_requests() {
    let trial = Trial::new(&["good"]);
    trial.script.set("good", &["10.0.0.2"]);
    for _ in 0..100 {
        trial.check("10.0.0.2", Listed, 0).await;
        tokio::task::yield_now().await;
        pass(100).await;
    }
    let asked = trial.script.asked("good");
    assert!((8..=12).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn a_name_may_move_and_take_turns() {
    let trial = Trial::new(&["good"]);
    trial.script.set("good", &["10.0.0.2"]);
    trial.check("10.0.0.2", Listed, 0).await;
    trial.script.set("good", &["10.0.0.3"]);
    trial.check("10.0.0.3", Unlisted, 0).await;
    pass(200).await;
    trial.check("10.0.0.3", Listed, 0).await;
    // What was answered a moment ago is still believed.
    trial.check("10.0.0.2", Listed, 0).await;
    pass(1900).await;
    trial.check("10.0.0.2", Unlisted, 0).await;
    trial.check("10.0.0.3", Listed, 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_strangers_asks_rarely() {
    let trial = Trial::new(&["good"]);
    trial.script.set("good", &["10.0.0.2"]);
    for _ in 0..1000 {
        trial.check("10.0.0.66", Unlisted, 0).await;
        pass(1).await;
    }
    let asked = trial.script.asked("good");
    assert!((4..=6).contains(&asked), "{asked}");
}

/// An address is believed no longer once the engine says that a container has gone from one.
#[tokio::test(start_paused = true)]
async fn a_belief_ends_with_a_departure() {
    let networks = Arc::new(Networks::new(Engine::new(Path::new("/nonexistent"))));
    let trial = Trial::with(&["good"], |list| list.asking(Arc::clone(&networks)));
    trial.script.set("good", &["10.0.0.2"]);
    trial.check("10.0.0.2", Listed, 0).await;
    trial.script.set("good", &[]);
    trial.check("10.0.0.2", Listed, 0).await;
    networks.departed();
    trial.check("10.0.0.2", Unlisted, 0).await;
    // Departures that go on and on make nobody a stranger who is admitted.
    trial.script.set("good", &["10.0.0.2"]);
    for _ in 0..50 {
        networks.departed();
        trial.check("10.0.0.2", Listed, 0).await;
    }
}

/// A container has two addresses, and its name led to one of them. Once it leads elsewhere, the two cannot vouch for each other.
#[tokio::test(start_paused = true)]
async fn an_address_beside_the_named_one_stands_for_nothing() {
    let [named, beside] = [2, 3].map(|last| IpAddr::from([10, 0, 0, last]));
    let host = Host::new("good");
    host.want();
    let turn = host.begin(0).unwrap();
    host.finish(turn, vec![named]);
    pass(1500).await;
    host.see(beside, 0);
    assert_eq!(host.believed(0), [named]);
    assert_eq!(host.age(beside, 0), host.age(named, 0));
    pass(500).await;
    assert!(host.believed(0).is_empty());
    assert!(host.age(beside, 0).unwrap() >= FRESH);
}

/// Answers without end take no memory without end.
#[tokio::test(start_paused = true)]
async fn few_addresses_are_remembered() {
    let host = Host::new("good");
    for round in 0..100_u8 {
        host.want();
        let turn = host.begin(0).unwrap();
        let addresses = (0..=255).map(|last| IpAddr::from([10, 0, round, last])).collect();
        host.finish(turn, addresses);
        assert!(host.lock().seen.len() <= MOST_ADDRESSES);
    }
}
