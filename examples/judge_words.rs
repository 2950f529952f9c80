//! What it costs to judge a read by words, beside one pattern: `cargo run --release --example judge_words`. In nanoseconds of the process's own CPU
//! time, the lists interleaved, and as ratios to the pattern.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program for developers, which prints its result and may fail loudly"
)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustix::time::{ClockId, clock_gettime};
use sockwarden::clauses::Defaults;
use sockwarden::client::{Admission, Client, Identity, Peer};
use sockwarden::policy::{DeclaredBody, Judgement, Policy};
use sockwarden::request::{Head, Method, Operation, RequestTarget};
use sockwarden::rule::words::Words;
use sockwarden::rule::{Allowlist, AnchoredRegex, Origin, Rule, RuleSet};

const ROUNDS: usize = 60;
const JUDGEMENTS: u32 = 20_000;

fn main() {
    let origin = || Origin::Flag("-allow".to_owned());
    let pattern = AnchoredRegex::new("(/v1[.][0-9]+)?/containers/json").expect("it is a pattern");
    let rule = Rule { origin: origin(), method: Method::Get, path: Arc::new(pattern) };
    let words = |text: &str| Allowlist {
        words: Words::read(text, &origin()).expect("they are words"),
        ..Allowlist::default()
    };
    let all: Vec<&str> = Operation::all().filter(|it| !it.is_ping()).map(Operation::id).collect();
    let lists = [
        ("one pattern", Allowlist { rules: RuleSet::from_iter([rule]), ..Allowlist::default() }),
        ("one word", words("ContainerList")),
        ("a preset", words("portainer-manage")),
        ("every operation", words(&all.join(", "))),
    ];
    let policies: Vec<(&str, Policy)> = lists
        .into_iter()
        .map(|(name, list)| (name, Policy::new(list, Defaults::default())))
        .collect();
    let client = client();
    let target = RequestTarget::parse("/v1.41/containers/json?all=1").expect("it is a target");
    let head = Head::new(Method::Get, target, []);
    // Interleaved, so that what disturbs one disturbs the others as well; the median says what is usual.
    let mut rounds: Vec<Vec<u64>> = vec![Vec::new(); policies.len()];
    for _ in 0..ROUNDS {
        for (times, (_, policy)) in rounds.iter_mut().zip(&policies) {
            let began = cpu_nanoseconds();
            for _ in 0..JUDGEMENTS {
                let declared = DeclaredBody { body: None::<()> };
                match policy.judge(&client, None, black_box(head.clone()), declared) {
                    Judgement::Allowed(allowed) => drop(black_box(allowed)),
                    other => panic!("not allowed: {other:?}"),
                }
            }
            times.push((cpu_nanoseconds() - began) / u64::from(JUDGEMENTS));
        }
    }
    let medians: Vec<u64> = rounds
        .iter_mut()
        .map(|times| {
            times.sort_unstable();
            times[ROUNDS / 2]
        })
        .collect();
    for ((name, _), median) in policies.iter().zip(&medians) {
        let percent = median * 100 / medians[0];
        println!("{name}: {median} ns, {percent} % of one pattern");
    }
}

fn client() -> Client {
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let peer = Peer::tcp(SocketAddr::new(local, 40_000), local);
    Client { peer, admission: Admission::Listed, identity: Identity::Plain }
}

fn cpu_nanoseconds() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanoseconds) = (time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned());
    seconds * 1_000_000_000 + nanoseconds
}
