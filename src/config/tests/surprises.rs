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
        &["`SP_ALLOW_GET`: `\"/version\"` matches nothing, because every path begins with `/`"],
    );
    assert_eq!(
        config(&[], &[]).warnings,
        [
            r"nothing is allowed but `/_ping`: there is no pattern; add for example `-allowGET=/v1\..+/version`"
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
            "`SP_ALLOWFROM` has no effect on a Unix socket; whoever may open the socket file is let in",
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
