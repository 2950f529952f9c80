//! The command line and the environment as a whole, told as what goes in and what comes out.

mod assumed;
mod mistakes;
mod surprises;

use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use proptest::prelude::*;

use crate::request::Method;

use super::*;

fn load(words: &[&str], variables: &[(&str, &str)]) -> Result<Loaded, Mistakes> {
    Config::load(
        words.iter().map(OsString::from),
        variables.iter().map(|(name, value)| (name.into(), value.into())),
    )
}

#[track_caller]
fn config(words: &[&str], variables: &[(&str, &str)]) -> Config {
    match load(words, variables) {
        Ok(Loaded::Serve(config)) => *config,
        other => panic!("{other:?}"),
    }
}

/// A setting has this effect when it comes as a flag, in each of Go's four spellings, and when it comes as a variable.
#[track_caller]
fn check_both<T: PartialEq + std::fmt::Debug>(
    name: &str,
    value: &str,
    field: impl Fn(Config) -> T,
    want: impl Into<T>,
) {
    let want = want.into();
    let setting = options::Setting::by_flag(name.as_ref()).expect("a setting");
    assert_eq!(field(config(&[&format!("-{name}={value}")], &[])), want);
    assert_eq!(field(config(&[&format!("--{name}={value}")], &[])), want);
    if !setting.is_switch() {
        assert_eq!(field(config(&[&format!("-{name}"), value], &[])), want);
        assert_eq!(field(config(&[&format!("--{name}"), value], &[])), want);
    }
    assert_eq!(field(config(&[], &[(setting.variable, value)])), want);
}

fn rules(config: &Config) -> Vec<String> {
    config
        .rules
        .iter()
        .map(|rule| format!("{} {} {}", rule.origin, rule.method, rule.path.as_str()))
        .collect()
}

fn clients(config: &Config) -> Vec<String> {
    config.allow_from.iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_given_is_the_defaults() {
    let config = config(&[], &[("PATH", "/bin"), ("SPOON", "x"), ("sp_loglevel", "x")]);
    assert_eq!(config.listener.to_string(), "tcp://127.0.0.1:2375");
    assert_eq!(clients(&config), ["127.0.0.1/32"]);
    assert_eq!(config.engine_socket, Path::new("/var/run/docker.sock"));
    assert!(config.rules.is_empty());
    assert_eq!(config.bodies.bind_mount_from, None);
    assert!(!config.health_endpoint && !config.trust_image_labels && !config.log.json);
    assert_eq!(config.watchdog, None);
    assert_eq!(config.shutdown_grace, Duration::from_secs(10));
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.log.level, tracing::Level::INFO);
    assert_eq!(config.own_container, None);
    assert_eq!(config.label_prefixes, ["socket-proxy", "sockwarden"]);
}

#[test]
fn every_setting_is_taken_both_ways() {
    let tcp = |address: &str| ListenerAddress::Tcp(address.parse().unwrap());
    check_both(
        "allowfrom",
        "traefik,10.1.0.0/16,::1",
        |c| clients(&c),
        ["traefik", "10.1.0.0/16", "::1/128"].map(String::from).to_vec(),
    );
    check_both("listenip", "0.0.0.0", |c| c.listener, tcp("0.0.0.0:2375"));
    check_both("listenip", "::", |c| c.listener, tcp("[::]:2375"));
    check_both("listenip", "[::1]", |c| c.listener, tcp("[::1]:2375"));
    check_both("listenip", "::ffff:127.0.0.2", |c| c.listener, tcp("127.0.0.2:2375"));
    check_both("proxyport", "2376", |c| c.listener, tcp("127.0.0.1:2376"));
    check_both(
        "proxysocketendpoint",
        "/run/p.sock",
        |c| c.listener,
        ListenerAddress::Unix { path: "/run/p.sock".into(), mode: 0o600 },
    );
    check_both(
        "socketpath",
        "/run/user/1000/docker.sock",
        |c| c.engine_socket,
        "/run/user/1000/docker.sock",
    );
    check_both(
        "allowbindmountfrom",
        "/home,/var/log/",
        |c| c.bodies.bind_mount_from.clone(),
        Some(vec!["/home".into(), "/var/log".into()]),
    );
    check_both("allowhealthcheck", "true", |c| c.health_endpoint, true);
    check_both("shutdowngracetime", "0", |c| c.shutdown_grace, Duration::ZERO);
    check_both("maxheadbytes", "8192", |c| c.limits.head_bytes, 8192_usize);
    check_both("maxheaders", "512", |c| c.limits.head_fields, 512_usize);
    let seconds = Duration::from_secs;
    check_both("headtimeout", "3600", |c| c.limits.head_timeout, seconds(3600));
    check_both("maxbodybytes", "1024", |c| c.limits.inspected_body_limit, 1024_usize);
    check_both("bodytimeout", "1", |c| c.limits.inspected_body_timeout, seconds(1));
    check_both("maxconnections", "1", |c| c.limits.connections, 1_usize);
    check_both("maxconnectionsperclient", "50", |c| c.limits.connections_per_client, 50_usize);
    check_both("maxstreamsperclient", "1000000", |c| c.limits.streams_per_client, 1_000_000_usize);
    check_both("maxwaiting", "4", |c| c.limits.waiting, 4_usize);
    check_both("maxmemory", "33554432", |c| c.limits.memory, 33_554_432_usize);
    check_both("loglevel", "debug", |c| c.log.level, tracing::Level::DEBUG);
    check_both("loglevel", "Warn", |c| c.log.level, tracing::Level::WARN);
    check_both("loglevel", "ERROR", |c| c.log.level, tracing::Level::ERROR);
    check_both("logjson", "T", |c| c.log.json, true);
    check_both("proxycontainername", "auto", |c| c.own_container, Some(OwnContainer::Auto));
    check_both(
        "proxycontainername",
        "sock_proxy-1.a",
        |c| c.own_container,
        Some(OwnContainer::Named("sock_proxy-1.a".to_owned())),
    );
    check_both(
        "dockerlabelprefix",
        "com.example/proxy_2",
        |c| c.label_prefixes,
        vec!["com.example/proxy_2".to_owned()],
    );
    check_both("trustimagelabels", "1", |c| c.trust_image_labels, true);
    for method in Method::ALL {
        let allowed = |c: Config| {
            c.rules.of(method).iter().map(|rule| rule.path.as_str().to_owned()).collect::<Vec<_>>()
        };
        check_both(
            &format!("allow{method}"),
            "/v1\\..+/a=b,c",
            allowed,
            vec!["/v1\\..+/a=b,c".to_owned()],
        );
    }
}

#[test]
fn the_watchdog_is_one_thing() {
    let seconds = |interval, stop| Some(Watchdog { interval: Duration::from_secs(interval), stop });
    assert_eq!(
        config(&["-watchdoginterval=3600", "-stoponwatchdog"], &[]).watchdog,
        seconds(3600, true)
    );
    assert_eq!(
        config(&[], &[("SP_WATCHDOGINTERVAL", "60"), ("SP_STOPONWATCHDOG", "false")]).watchdog,
        seconds(60, false)
    );
    assert_eq!(config(&["-watchdoginterval=0"], &[("SP_WATCHDOGINTERVAL", "60")]).watchdog, None);
}

#[test]
fn the_file_mode_is_octal_in_a_variable_and_go_s_in_a_flag() {
    let mode = |word: &str, value: &str| match config(
        &["-proxysocketendpoint=/p", word],
        &[("SP_PROXYSOCKETENDPOINTFILEMODE", value)],
    )
    .listener
    {
        ListenerAddress::Unix { mode, .. } => mode,
        ListenerAddress::Tcp(_) => panic!("TCP"),
    };
    for value in ["0660", "660", "0o660"] {
        assert_eq!(mode("-logjson", value), 0o660, "{value}");
    }
    for value in ["0600", "0o600", "384", "0x180"] {
        assert_eq!(mode(&format!("-proxysocketendpointfilemode={value}"), ""), 0o600, "{value}");
    }
    for value in ["0600", "0606", "0640", "0700", "0755", "0770", "666", "777"] {
        let want = u32::from_str_radix(value, 8).unwrap();
        assert_eq!(mode("-logjson", value), want, "{value}");
    }
    assert_eq!(mode("-proxysocketendpointfilemode=432", ""), 0o660);
    assert_eq!(mode("-proxysocketendpointfilemode=0777", ""), 0o777);
}

#[test]
fn a_flag_beats_its_variable_and_the_last_flag_wins() {
    assert_eq!(
        config(&["-proxyport=1"], &[("SP_PROXYPORT", "2")]).listener.to_string(),
        "tcp://127.0.0.1:1"
    );
    assert_eq!(
        config(&["-proxyport=1", "--proxyport", "3"], &[]).listener.to_string(),
        "tcp://127.0.0.1:3"
    );
    assert!(!config(&["-logjson=false"], &[("SP_LOGJSON", "true")]).log.json);
    assert_eq!(
        config(&["-proxysocketendpoint="], &[("SP_PROXYSOCKETENDPOINT", "/p")])
            .listener
            .to_string(),
        "tcp://127.0.0.1:2375"
    );
    assert_eq!(
        config(&["-proxycontainername="], &[("SP_PROXYCONTAINERNAME", "p")]).own_container,
        None
    );
}

#[test]
fn an_empty_variable_is_unset() {
    for setting in options::SETTINGS {
        load(&[], &[(setting.variable, "")]).unwrap();
    }
    assert_eq!(config(&[], &[("SP_PROXYPORT", "")]).listener.to_string(), "tcp://127.0.0.1:2375");
    load(&[], &[("SP_NOBODY_KNOWS", "")]).unwrap();
}

#[test]
fn the_first_of_two_equal_variables_counts() {
    assert!(config(&[], &[("SP_LOGJSON", "1"), ("SP_LOGJSON", "0")]).log.json);
}

#[test]
fn patterns_add_up_and_flags_replace_variables_by_method() {
    let variables = [
        ("SP_ALLOW_GET", "/a"),
        ("SP_ALLOW_GET_2", "/b"),
        ("SP_ALLOW_GET_", "/c"),
        ("SP_ALLOW_POST_x_Y", "/d"),
    ];
    assert_eq!(
        rules(&config(&[], &variables)),
        [
            "SP_ALLOW_GET GET /a",
            "SP_ALLOW_GET_ GET /c",
            "SP_ALLOW_GET_2 GET /b",
            "SP_ALLOW_POST_x_Y POST /d"
        ]
    );
    assert_eq!(
        rules(&config(&["-allowGET=/e", "-allowGET", "/f"], &variables)),
        ["-allowGET GET /e", "-allowGET GET /f", "SP_ALLOW_POST_x_Y POST /d"]
    );
}

#[test]
fn words_are_cut_as_go_cuts_them() {
    // A switch never takes the next word, a value may be anything, and the first `=` ends the name.
    assert!(config(&["-logjson", "-allowGET", "-weird"], &[]).log.json);
    assert_eq!(
        rules(&config(&["-allowGET", "--", "--allowGET=/a=b"], &[])),
        ["-allowGET GET --", "-allowGET GET /a=b"]
    );
    for yes in ["1", "t", "T", "TRUE", "true", "True"] {
        assert!(config(&[&format!("-logjson={yes}")], &[]).log.json);
    }
    for no in ["0", "f", "F", "FALSE", "false", "False"] {
        assert!(!config(&["-logjson", &format!("-logjson={no}")], &[]).log.json);
    }
    config(&["-logjson", "--"], &[]);
}

#[test]
fn help_and_version_come_before_mistakes() {
    for word in ["-h", "-help", "--help", "--h", "-help=1"] {
        assert!(matches!(load(&["-nonsense", word], &[("SP_X", "y")]), Ok(Loaded::Help)), "{word}");
    }
    for word in ["-version", "--version"] {
        assert!(matches!(load(&["-nonsense", word, "-help"], &[]), Ok(Loaded::Version)), "{word}");
    }
    assert!(matches!(load(&["-allowGET", "-h"], &[]), Ok(Loaded::Help)));
    assert!(load(&["--", "-h"], &[]).is_err());
}

/// Words that come near to what we know, and bytes that do not.
fn word() -> impl Strategy<Value = OsString> {
    let names: Vec<_> = options::SETTINGS
        .iter()
        .flat_map(|setting| [setting.flag(), setting.variable.to_owned()])
        .collect();
    let near =
        (prop::sample::select(names), prop::sample::select(vec!["", "=", "_2", "-"]), ".{0,12}");
    prop_oneof![
        near.prop_map(|(name, joint, rest)| OsString::from(format!("{name}{joint}{rest}"))),
        "[-=0-9a-fox_/.:,|()*\\[\\]]{0,12}".prop_map(OsString::from),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(OsString::from_vec),
    ]
}

proptest! {
    #[test]
    fn nothing_given_makes_it_panic_or_print_control_characters(
        words in prop::collection::vec(word(), 0..6),
        variables in prop::collection::vec((word(), word()), 0..6),
    ) {
        match Config::load(words, variables) {
            Ok(Loaded::Serve(config)) => prop_assert!(!config.warnings.join("").contains(char::is_control)),
            Ok(Loaded::Help | Loaded::Version) => {}
            Err(mistakes) => {
                prop_assert!(mistakes.iter().count() > 0);
                for mistake in mistakes.iter() {
                    prop_assert!(!mistake.to_string().contains(char::is_control), "{:?}", mistake);
                }
            }
        }
    }
}
