//! Every message for what is valid and surprising.

use super::*;

/// The warnings, with a pattern given so that the one about nothing being allowed stays away.
#[track_caller]
fn check_warnings(words: &[&str], variables: &[(&str, &str)], want: &[&str]) {
    let words: Vec<_> = words.iter().copied().chain(["-allowHEAD=/_ping"]).collect();
    assert_eq!(config(&words, variables).warnings, want);
}

#[test]
fn what_is_usual_is_not_warned_about() {
    check_warnings(&[], &[], &[]);
    check_warnings(
        &[
            "-listenip=0.0.0.0",
            "-allowfrom=traefik",
            r"-allowGET=/v1\..{1,2}/(version|containers/.*|events.*)",
        ],
        &[],
        &[],
    );
    check_warnings(
        &["-listenip=::", "-proxycontainername=auto", "-dockerlabelprefix=a", "-trustimagelabels"],
        &[],
        &[],
    );
    check_warnings(&["-proxysocketendpoint=/p", "-proxysocketendpointfilemode=0660"], &[], &[]);
    check_warnings(
        &[
            "-watchdoginterval=3600",
            "-stoponwatchdog",
            "-allowGET=^/_ping$",
            "-allowfrom=127.0.0.0/8,::1,localhost",
        ],
        &[],
        &[],
    );
}

#[test]
fn who_can_connect_is_warned_about() {
    check_warnings(
        &["-listenip=0.0.0.0", "-allowfrom=traefik,0.0.0.0/0"],
        &[],
        &[
            "`-allowfrom` lets everybody in who can reach 0.0.0.0 (`0.0.0.0/0`); name the clients or their network",
        ],
    );
    check_warnings(
        &["-listenip=::"],
        &[("SP_ALLOWFROM", "::/0")],
        &[
            "`SP_ALLOWFROM` lets everybody in who can reach :: (`::/0`); name the clients or their network",
        ],
    );
    check_warnings(
        &["-listenip=0.0.0.0"],
        &[],
        &[
            "on 0.0.0.0 others can connect, but `-allowfrom` lets nobody in from outside; add for example `-allowfrom=traefik`",
        ],
    );
    check_warnings(
        &["-allowfrom=127.0.0.1,traefik"],
        &[],
        &[
            "`-allowfrom` lets `traefik` in, but on 127.0.0.1 only this host or container can connect; to listen for others set `-listenip=0.0.0.0`",
        ],
    );
    check_warnings(
        &["-proxysocketendpoint=/p"],
        &[("SP_PROXYSOCKETENDPOINTFILEMODE", "666")],
        &["`SP_PROXYSOCKETENDPOINTFILEMODE`: with mode 0666 every local user can use the socket"],
    );
}

#[test]
fn patterns_that_say_something_else_are_warned_about() {
    check_warnings(
        &["-allowTRACE=.*"],
        &[],
        &["`-allowTRACE` is of no use: the engine has no TRACE operations"],
    );
    check_warnings(
        &[],
        &[("SP_ALLOW_GET", "\"/version\"")],
        &[
            "`SP_ALLOW_GET`: `\"/version\"` matches nothing, because the quotes around it are part of it; take them away",
        ],
    );
    assert_eq!(
        config(&[], &[]).warnings,
        [
            "nothing is allowed but `/_ping`: there is no pattern; add for example `-allowGET='(/v1[.][0-9]+)?/version'`"
        ]
    );
    check_warnings(
        &["-proxysocketendpoint=/p", "-proxysocketendpointfilemode=432"],
        &[],
        &[
            "`-proxysocketendpointfilemode`: `432` is decimal and means 0660; an octal mode is written `0432`",
        ],
    );
}

#[test]
fn what_has_no_effect_is_warned_about() {
    check_warnings(
        &["-stoponwatchdog"],
        &[],
        &[
            "`-stoponwatchdog` has no effect without a watchdog; add for example `-watchdoginterval=60`",
        ],
    );
    check_warnings(
        &["-proxysocketendpoint=/p", "-proxyport=2375", "-listenip=0.0.0.0"],
        &[("SP_ALLOWFROM", "traefik")],
        &[
            "`SP_ALLOWFROM` has no effect on a Unix socket; everybody who may open the socket file is let in",
            "`-listenip` has no effect on a Unix socket",
            "`-proxyport` has no effect on a Unix socket",
        ],
    );
    check_warnings(
        &["-proxysocketendpointfilemode=0600", "-dockerlabelprefix=a", "-trustimagelabels"],
        &[],
        &[
            "`-proxysocketendpointfilemode` has no effect on a TCP port; add `-proxysocketendpoint=PATH`",
            "`-dockerlabelprefix` has no effect while labels are not read; add `-proxycontainername=auto`",
            "`-trustimagelabels` has no effect while labels are not read; add `-proxycontainername=auto`",
        ],
    );
}

#[test]
fn patterns_that_cannot_work_are_warned_about() {
    for (pattern, part) in [
        (r"(/v1\\.\\d+)?/info", "backslashes are doubled"),
        ("version", "matches nothing, because every path begins with `/`"),
        ("/version\n", "a blank or a line break"),
        ("/containers/json?all=1", "a query is no part of the path"),
        ("/containers/*", "`/*` is any number of slashes"),
        ("/version|info", "matches less than it seems to"),
    ] {
        for (words, variables) in [
            (vec![format!("-allowGET={pattern}")], vec![]),
            (vec![], vec![("SP_ALLOW_GET_2", pattern)]),
        ] {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let warnings = config(&words, &variables).warnings;
            let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
            let origin = if words.is_empty() { "`SP_ALLOW_GET_2`: " } else { "`-allowGET`: " };
            assert!(warning.starts_with(origin) && warning.contains(part), "{warning}");
            assert!(!warning.contains('\n'), "{warning}");
        }
    }
    // Without a version prefix, a pattern of a method that a flag replaces says nothing.
    check_warnings(&["-allowGET=/info"], &[("SP_ALLOW_GET", "info")], &[]);
}

#[test]
fn addresses_that_stand_for_a_network_are_warned_about() {
    let listening = ["-listenip=0.0.0.0", "-allowfrom"];
    for (address, part) in [
        ("0.0.0.0", "lets nobody in; `0.0.0.0/0` is everybody"),
        ("::", "lets nobody in; `::/0` is everybody"),
        ("0.0.0.0/32", "lets nobody in"),
        ("172.18.0.0", "for example `172.18.0.0/16`"),
        ("10.0.0.0", "for example `10.0.0.0/8`"),
        ("192.168.1.0", "for example `192.168.1.0/24`"),
    ] {
        let words = [listening[0], &format!("-allowfrom=traefik,{address}"), "-allowHEAD=/_ping"];
        let warnings = config(&words, &[]).warnings;
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(warning.contains(part), "{warning}");
    }
    check_warnings(&["-listenip=0.0.0.0", "-allowfrom=172.18.0.2,2001:db8::"], &[], &[]);
    // Nobody is let in, so nobody is kept out by the address either.
    let [warning] = &config(&["-allowfrom=0.0.0.0", "-allowHEAD=/_ping"], &[]).warnings[..] else {
        panic!("not one warning");
    };
    assert!(warning.contains("an address that no client has"), "{warning}");
}

#[test]
fn the_default_address_in_a_container_is_warned_about() {
    let warnings = |words: &[&str]| {
        let words = words.iter().chain(&["-allowHEAD=/_ping"]).map(OsString::from);
        let Ok(Loaded::Serve(config)) = Config::load_at(words, [], Place::Container) else {
            panic!("not loaded")
        };
        config.warnings
    };
    let [warning] = &warnings(&[])[..] else { panic!() };
    assert!(warning.contains("runs in a container and listens on 127.0.0.1"), "{warning}");
    assert!(warning.contains("`-listenip=0.0.0.0`"), "{warning}");
    let [warning] = &warnings(&["-allowfrom=traefik"])[..] else { panic!() };
    assert!(warning.contains("`-listenip=0.0.0.0`"), "{warning}");
    assert_eq!(warnings(&["-proxycontainername=auto"]).len(), 1);
    // Who says it means it, as beside a container whose network is shared.
    for fine in ["-listenip=127.0.0.1", "-listenip=::1", "-proxysocketendpoint=/p"] {
        assert_eq!(warnings(&[fine]), [""; 0], "{fine}");
    }
}

#[test]
fn variables_of_services_are_passed_over_with_one_warning() {
    check_warnings(
        &[],
        &[
            ("SP_PORT", "tcp://10.96.0.1:2375"),
            ("SP_SERVICE_HOST", "10.96.0.1"),
            ("SP_ALLOW_GET_PORT", "tcp://10.96.0.7:80"),
        ],
        &[
            "`SP_ALLOW_GET_PORT`, `SP_PORT`, `SP_SERVICE_HOST` describe a service of Kubernetes or a link of Docker and set nothing here; to be rid of them set `enableServiceLinks: false`, or give the service a name that does not begin with `sp`",
        ],
    );
}

#[test]
fn a_label_prefix_in_our_name_space_is_warned_about() {
    for prefix in ["sockwarden.team", "SockWarden.team"] {
        let flag = format!("-dockerlabelprefix={prefix}");
        let warnings =
            config(&["-proxycontainername=auto", "-listenip=::", "-allowHEAD=/_ping", &flag], &[])
                .warnings;
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(warning.contains("does not begin with `sockwarden.`"), "{warning}");
    }
}
