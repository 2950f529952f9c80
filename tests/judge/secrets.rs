//! What clients send in confidence does not show in anything that is printed for debugging.

use sockwarden::clauses::Defaults;
use sockwarden::client::{Admission, Client, Identity, Peer};
use sockwarden::policy::{DeclaredBody, Judgement, Policy};
use sockwarden::request::{Head, Method, RequestTarget};
use sockwarden::rule::{Allowlist, AnchoredRegex, Origin, Rule};

/// Stands in a field, in the query and in the body of every request here.
const SECRET: &str = "hunter2";

fn judge(pattern: &str, target: &str) -> Judgement<String> {
    let origin = Origin::Flag("-allowPOST".to_owned());
    let path = AnchoredRegex::new(pattern).unwrap().into();
    let rules = [Rule { origin, method: Method::Post, path }].into_iter().collect();
    let list = Allowlist { rules, ..Allowlist::default() };
    let secret = |name| (name, SECRET.as_bytes());
    let json = ("content-type", &b"application/json"[..]);
    let fields = ["x-registry-auth", "x-registry-config", "authorization", "cookie"];
    let fields = fields.map(secret).into_iter().chain([json]);
    let target =
        RequestTarget::parse_for(Method::Post, &format!("{target}?name={SECRET}")).unwrap();
    let peer = Peer::tcp("172.18.0.2:5".parse().unwrap(), "172.18.0.3".parse().unwrap());
    let client = Client { peer, admission: Admission::Listed, identity: Identity::Plain };
    let body = DeclaredBody { body: Some(body()) };
    let head = Head::new(Method::Post, target, fields);
    Policy::new(list, Defaults::default()).judge(&client, None, head, body)
}

fn body() -> String {
    format!(r#"{{"Image":"x","Env":["PASSWORD={SECRET}"]}}"#)
}

#[track_caller]
fn keeps_quiet(judgement: &Judgement<String>) {
    let text = format!("{judgement:#?}");
    assert!(text.contains("x-registry-auth"), "{text}");
    assert!(!text.contains(SECRET), "{text}");
}

#[test]
fn no_verdict_prints_what_it_is_about() {
    let refused = judge("/info", "/containers/create");
    assert!(matches!(refused, Judgement::Denied(_)));
    keeps_quiet(&refused);
    let pending = judge(".*", "/containers/create");
    keeps_quiet(&pending);
    let Judgement::Pending(mut pending) = pending else { panic!("the body was not wanted") };
    assert_eq!(pending.take_body().unwrap(), body());
    // The image is asked about; there is none.
    let Judgement::Pending(mut pending) = pending.read(body().as_bytes()) else {
        panic!("nothing was asked")
    };
    for question in pending.questions() {
        pending.answer(question, None);
    }
    let allowed = pending.judge();
    assert!(matches!(allowed, Judgement::Allowed(_)));
    keeps_quiet(&allowed);
}
