//! temporary
use sockwarden::config::*;
use sockwarden::rule::*;
use std::sync::Arc;
fn main() {
    let _log =
        sockwarden::log::start(LogSettings { level: tracing::Level::DEBUG, json: false }).unwrap();
    let rules: RuleSet = sockwarden::request::Method::ALL
        .into_iter()
        .map(|method| Rule {
            origin: Origin::Flag(format!("-allow{method}")),
            method,
            path: Arc::new(AnchoredRegex::new(".*").unwrap()),
        })
        .collect();
    let config = Config {
        listener: ListenerAddress::Tcp("127.0.0.1:2375".parse().unwrap()),
        allow_from: vec![AllowFrom::Net("127.0.0.1/32".parse().unwrap())],
        engine_socket: "/var/run/docker.sock".into(),
        rules,
        bind_mount_from: None,
        health_endpoint: true,
        watchdog: None,
        shutdown_grace: std::time::Duration::from_secs(10),
        log: LogSettings { level: tracing::Level::DEBUG, json: false },
        own_container: None,
        label_prefixes: vec![],
        trust_image_labels: false,
        warnings: vec![],
    };
    let (tx, _rx) = tokio::sync::oneshot::channel();
    let rt =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let e = rt.block_on(sockwarden::run::serve(
        config,
        async {
            let mut s =
                tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
            s.recv().await;
        },
        tx,
    ));
    println!("{e:?}");
}
