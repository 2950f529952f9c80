//! What is assumed in a container in which nothing of ours is set, and the variables of other proxies.

use super::*;
use crate::config::{Assumed, Loaded, Place};
use crate::registry::OwnContainer;
use crate::request::Operation;
use crate::rule::HostAccess;

fn load(words: &[&str], variables: &[(&str, &str)]) -> Result<Config, String> {
    let words: Vec<OsString> = words.iter().map(|word| (*word).into()).collect();
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    match Config::load_at(words, variables, Place::Container) {
        Ok(Loaded::Serve(config)) => Ok(*config),
        Ok(_) => panic!("asked for something else"),
        Err(mistakes) => Err(mistakes.to_string()),
    }
}

fn gives(config: &Config) -> Vec<&'static str> {
    Operation::all().filter(|it| config.words.gives(*it)).map(Operation::id).collect()
}

#[test]
fn with_nothing_given_labels_are_read_on_all_addresses() {
    for quiet in [&[][..], &["-loglevel=DEBUG"], &["-allowhealthcheck"], &["-hostaccess=deny"]] {
        let config = load(quiet, &[("HOME", "/"), ("VERSION", "1"), ("POST", "")]).unwrap();
        assert_eq!(config.assumed, Assumed::Labels, "{quiet:?}");
        assert_eq!(config.listener.to_string(), "tcp://[::]:2375");
        assert_eq!(config.own_container, Some(OwnContainer::Auto));
        assert!(config.allow_from.is_empty() && config.default_list().is_empty());
        assert_eq!(config.warnings, Vec::<String>::new());
    }
    for given in [
        "-allowfrom=traefik",
        "-allowGET=/info",
        "-allowbindmountfrom=/srv",
        "-listenip=0.0.0.0",
        "-proxyport=2375",
        "-proxysocketendpoint=/p",
        "-proxycontainername=",
        "-proxycontainername=me",
    ] {
        assert_eq!(load(&[given], &[]).unwrap().assumed, Assumed::Nothing, "{given}");
    }
    for given in [("SP_ALLOWFROM", "x"), ("SP_ALLOW_GET", "/info"), ("SP_PROXYCONTAINERNAME", "")] {
        assert_eq!(load(&[], &[given]).unwrap().assumed, Assumed::Nothing, "{given:?}");
    }
    let elsewhere = Config::load([], []).unwrap();
    let Loaded::Serve(elsewhere) = elsewhere else { panic!() };
    assert_eq!(elsewhere.assumed, Assumed::Nothing);
}

#[test]
fn words_are_for_somebody() {
    let told = load(&["-allow=read", "-listenip=0.0.0.0"], &[]).unwrap_err();
    assert!(
        told.contains("`-allow` says what the clients in") && told.contains("sockwarden.allow"),
        "{told}"
    );
    for fine in [
        &["-allow=read", "-listenip=0.0.0.0", "-allowfrom=traefik"][..],
        &["-allow=read"],
        &["-allow=read", "-proxysocketendpoint=/p"],
    ] {
        load(fine, &[]).unwrap();
    }
    let both = load(&["-allow=logs", "-allow=restart"], &[("SP_ALLOW", "exec")]).unwrap();
    assert_eq!(gives(&both), ["ContainerLogs", "ContainerRestart"]);
    for (wrong, says) in [
        ("-allow=", "the value is empty"),
        ("-allow=raed", "did you mean `read`?"),
        ("-images=a b", "is not an image"),
        ("-hostaccess=cap:", "is not an exception"),
        ("-hostaccess=maybe", "neither `deny` nor `allow`"),
    ] {
        let told = load(&[wrong], &[]).unwrap_err();
        assert!(told.contains(says), "{wrong}: {told}");
    }
    assert!(load(&[], &[("SP_ALLOW_2", "read")]).unwrap_err().contains("SP_ALLOW_2"));
}

#[test]
fn sections_of_other_proxies_are_words() {
    let config = load(&[], &[("CONTAINERS", "1"), ("PING", "1"), ("ALLOW_RESTARTS", "1")]).unwrap();
    assert_eq!(config.assumed, Assumed::Sections);
    assert_eq!(
        gives(&config),
        [
            "SystemVersion",
            "SystemEvents",
            "ContainerList",
            "ContainerInspect",
            "ContainerTop",
            "ContainerLogs",
            "ContainerStats",
            "ContainerChanges",
            "ContainerStop",
            "ContainerRestart",
            "ContainerKill",
        ]
    );
    assert_eq!(config.own_host_access, None);
    let warnings = config.warnings.join("\n");
    assert!(warnings.contains("`CONTAINERS=1` gives no more files of containers"), "{warnings}");
    assert!(warnings.contains("-allow='ContainerChanges, ContainerInspect"), "{warnings}");

    let config = load(&[], &[("CONTAINERS", "1"), ("POST", "1"), ("ALLOW_EXEC", "0")]).unwrap();
    assert_eq!(config.own_host_access, Some(HostAccess::Allow));
    assert!(gives(&config).contains(&"ContainerCreate"));
    assert!(!gives(&config).contains(&"ContainerExec"));
    assert!(config.warnings.join("\n").contains("they own it"), "{:?}", config.warnings);

    let config = load(&[], &[("POST", "0"), ("EVENTS", "0"), ("CONTAINER", "1")]).unwrap();
    assert_eq!(gives(&config), ["SystemVersion"]);
    assert!(config.warnings.join("\n").contains("did you mean `CONTAINERS`?"));

    let config = load(
        &[],
        &[("IMAGES", "1"), ("DISABLE_IPV6", "1"), ("SOCKET_PATH", "/s"), ("LOG_LEVEL", "debug")],
    )
    .unwrap();
    assert_eq!(config.listener.to_string(), "tcp://0.0.0.0:2375");
    assert_eq!(config.engine_socket.to_str(), Some("/s"));
    for (name, value) in [("NODES", "maybe"), ("SOCKET_PATH", "tcp://x"), ("ALLOW_START", "2")] {
        let told = load(&[], &[("IMAGES", "1"), (name, value)]).unwrap_err();
        assert!(told.contains(name), "{told}");
    }
}

#[test]
fn beside_settings_of_ours_they_are_said_to_be_unread() {
    for (words, variables) in [
        (&["-allowGET=/info"][..], &[("CONTAINERS", "1")][..]),
        (&[], &[("CONTAINERS", "1"), ("SP_ALLOWFROM", "traefik")]),
    ] {
        let config = load(words, variables).unwrap();
        assert_eq!(config.assumed, Assumed::Nothing);
        assert!(config.words.is_empty());
        let warnings = config.warnings.join("\n");
        assert!(warnings.contains("`CONTAINERS=1` is a variable of another proxy"), "{warnings}");
    }
    // What anybody may have says nothing.
    let config = load(&[], &[("VERSION", "1"), ("INFO", "1"), ("BUILD", "1")]).unwrap();
    assert_eq!(config.assumed, Assumed::Labels);
    let config = load(&[], &[("POST", "http://x"), ("TASKS", "5")]).unwrap();
    assert_eq!(config.assumed, Assumed::Labels);
}
