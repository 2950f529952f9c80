//! What bodies, parameters and names may ask for: a line per case, tried against the judge alone and on a real engine.
//!
//! In texts `{image}`, `{name}`, `{victim}` and the like stand for objects that the test has. B and C numbers are those of the acceptance list.

/// One request and what must become of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// What it is, and its number in the acceptance list if it has one.
    pub(crate) about: &'static str,
    /// What is set.
    pub(crate) limits: Limits,
    /// Method and target.
    pub(crate) line: &'static str,
    /// The body; empty for none.
    pub(crate) body: &'static str,
    /// What must happen to it.
    pub(crate) want: Want,
    /// What the engine does with it when nobody stands between.
    pub(crate) engine: Engine,
}

/// What is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limits {
    /// Nothing: everything that can be read goes.
    None,
    /// `-hostaccess=deny`.
    Host,
    /// `-allowbindmountfrom=/srv,{srv}`.
    Srv,
    /// Both.
    HostSrv,
    /// `-denyhostmounts`.
    NoMounts,
    /// `-denynetworkvolumes`.
    NoNetwork,
    /// `-allowbindmountfrom=/srv,{srv}`, and the list lets nothing be read.
    Blind,
    /// Per-container allowlists: the proxy's container is `{proxy}`, on the network `{net}`. The list allows all but builds.
    Own,
    /// The same, and builds too.
    Builder,
}

/// What may be posted where everything but builds may.
pub(crate) const NO_BUILDS: &str = "(/v1[.][0-9]+)?/(commit|containers|exec|images|libpod|networks|nodes|services|swarm|volumes).*";

/// What must happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// It goes to the engine.
    Allowed,
    /// It does not, and the refusal has this status and says this.
    Refused(u16, &'static str),
}

/// What the engine does when it is asked directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// What is asked, and the object then shows this text.
    Shows(&'static str),
    /// What is asked, with a status of success.
    Does,
    /// It takes the request, and the object does not show this text: other engines may make something of it.
    Ignores(&'static str),
    /// It refuses this or does not know it: not every engine that we may stand before does.
    OtherEngines,
    /// The first up to this API version (1.n), the second from the next.
    UpTo(u32, &'static Self, &'static Self),
    /// It is not asked, because it would change the machine or needs something that is not there.
    NotTried,
}

impl Engine {
    /// What an engine of this API version (1.n) does.
    pub(crate) const fn of(self, api: u32) -> Self {
        match self {
            Self::UpTo(last, before, after) => (if api <= last { *before } else { *after }).of(api),
            told => told,
        }
    }
}

use Engine::{Does, Ignores, NotTried, OtherEngines, Shows, UpTo};
use Limits::{Blind, Builder, Host, HostSrv, NoMounts, NoNetwork, Own, Srv};

const fn case(
    about: &'static str,
    limits: Limits,
    line: &'static str,
    body: &'static str,
    want: Want,
    engine: Engine,
) -> Case {
    Case { about, limits, line, body, want, engine }
}

/// A create that is refused with 403.
const fn create(
    about: &'static str,
    limits: Limits,
    body: &'static str,
    says: &'static str,
    engine: Engine,
) -> Case {
    case(about, limits, CREATE, body, Want::Refused(403, says), engine)
}

/// A body that nobody can read in one way: 400, whatever is set.
const fn unclear(
    about: &'static str,
    body: &'static str,
    says: &'static str,
    engine: Engine,
) -> Case {
    case(about, Limits::None, CREATE, body, Want::Refused(400, says), engine)
}

/// A create that passes.
const fn passes(about: &'static str, limits: Limits, body: &'static str) -> Case {
    case(about, limits, CREATE, body, Want::Allowed, Does)
}

/// Another request that is refused with 403.
const fn deny(
    about: &'static str,
    limits: Limits,
    line: &'static str,
    body: &'static str,
    says: &'static str,
    engine: Engine,
) -> Case {
    case(about, limits, line, body, Want::Refused(403, says), engine)
}

/// Another request that passes.
const fn allow(
    about: &'static str,
    limits: Limits,
    line: &'static str,
    body: &'static str,
    engine: Engine,
) -> Case {
    case(about, limits, line, body, Want::Allowed, engine)
}

pub(crate) const CREATE: &str = "POST /v1.41/containers/create?name={name}";
const VOLUME: &str = "POST /v1.41/volumes/create";
const SERVICE: &str = "POST /v1.41/services/create";
const NETWORK: &str = "POST /v1.41/networks/create";
const EXEC: &str = "POST /v1.41/containers/{victim}/exec";
const BUILD: &str = "POST /v1.41/build?dockerfile=Dockerfile";

/// Every case.
#[rustfmt::skip]
pub(crate) const CASES: &[Case] = &[
    // --- keys and documents -----------------------------------------------------------------------------------------------------
    create("B01 lower case", Host, r#"{"Image":"{image}","hostconfig":{"privileged":true}}"#, "privileged", Shows(r#""Privileged":true"#)),
    create("B02 long s, escaped", Srv, r#"{"Image":"{image}","Ho\u017ftConfig":{"Binds":["/:/h"]}}"#, "mounts the host's `/`", Shows(r#""Binds":["/:/h"]"#)),
    create("B02 long s, raw", Srv, r#"{"Image":"{image}","HoſtConfig":{"Bindſ":["/:/h"]}}"#, "mounts the host's `/`", Shows(r#""Binds":["/:/h"]"#)),
    create("B03 Kelvin sign", Host, r#"{"Image":"{image}","HostConfig":{"Networ\u212aMode":"host"}}"#, "network of the host", Shows(r#""NetworkMode":"host""#)),
    create("keys in escapes", Host, r#"{"Image":"{image}","\u0048ostConfig":{"\u0050rivileged":true}}"#, "Privileged", Shows(r#""Privileged":true"#)),
    unclear("B04 HostConfig twice", r#"{"Image":"{image}","HostConfig":{"Privileged":true},"HostConfig":{}}"#, "twice", Shows(r#""Privileged":true"#)),
    unclear("B05 Binds twice", r#"{"Image":"{image}","HostConfig":{"Binds":["/:/h"],"Binds":[null]}}"#, "twice", Shows(r#""Binds":["/:/h"]"#)),
    unclear("B06 Mounts twice", r#"{"Image":"{image}","HostConfig":{"Mounts":[{"Type":"volume","Source":"/","Target":"/h"}],"Mounts":[{"Type":"bind"}]}}"#, "twice", Shows(r#""Source":"/""#)),
    unclear("two spellings", r#"{"Image":"{image}","HostConfig":{"Privileged":false,"privileged":true}}"#, "twice", Shows(r#""Privileged":true"#)),
    unclear("two spellings deep down", r#"{"Image":"{image}","HostConfig":{"Mounts":[{"Type":"tmpfs","type":"bind","Source":"/","Target":"/h"}]}}"#, "twice", Shows(r#""Source":"/""#)),
    unclear("a network called labels is a struct inside", r#"{"Image":"{image}","NetworkingConfig":{"EndpointsConfig":{"labels":{"IPAMConfig":{},"ipamconfig":{"IPv4Address":"10.0.0.9"}}}}}"#, "twice", Shows(r#""IPv4Address":"10.0.0.9""#)),
    create("B07 top level, no HostConfig", Host, r#"{"Image":"{image}","Privileged":true}"#, "Privileged", UpTo(45, &Shows(r#""Privileged":true"#), &Ignores(r#""Privileged":true"#))),
    create("B07 top level binds", Srv, r#"{"Image":"{image}","Binds":["/:/h"]}"#, "mounts the host's `/`", UpTo(45, &Shows(r#""Binds":["/:/h"]"#), &Ignores(r#""Binds":["/:/h"]"#))),
    unclear("B08 HostConfig and null", r#"{"Image":"{image}","HostConfig":{},"hostconfig":null,"PidMode":"host"}"#, "twice", UpTo(45, &Shows(r#""PidMode":"host""#), &Ignores(r#""PidMode":"host""#))),
    create("top level beside null", Host, r#"{"Image":"{image}","HostConfig":null,"PidMode":"host"}"#, "PidMode", UpTo(45, &Shows(r#""PidMode":"host""#), &Ignores(r#""PidMode":"host""#))),
    unclear("B09 a second document", r#"{"Image":"{image}"}{"HostConfig":{"Privileged":true}}"#, "behind", UpTo(41, &Does, &OtherEngines)),
    unclear("B09 a brace behind", r#"{"Image":"{image}"}}"#, "behind", Does),
    unclear("B09 byte order mark", "\u{feff}{\"Image\":\"{image}\"}", "byte order mark", OtherEngines),
    unclear("not JSON", r#"{"Image":"{image}",}"#, "a key", OtherEngines),
    unclear("an array", r#"[{"Image":"{image}"}]"#, "no JSON object", OtherEngines),
    unclear("null", "null", "no JSON object", OtherEngines),
    case("no body at all", Limits::None, CREATE, "", Want::Refused(400, "missing"), OtherEngines),
    passes("half a surrogate pair", Host, r#"{"Image":"{image}","Env":["A=caf\udce9"],"Labels":{"\ud800":"1"}}"#),
    unclear("halves of pairs that are one key", r#"{"Image":"{image}","Labels":{"\ud800":"1","\udc00":"2"}}"#, "twice", Does),
    case("B12 services", Srv, SERVICE, r#"{"Name":"{name}","TaskTemplate":{"ContainerSpec":{"Image":"{image}","Mounts":[{"Type":"bind","Source":"/","Target":"/h"}]}}}"#, Want::Refused(403, "mounts the host's `/`"), NotTried),
    create("wrong type", Host, r#"{"Image":"{image}","HostConfig":{"Privileged":"true"}}"#, "Privileged", OtherEngines),
    create("an unknown field", Host, r#"{"Image":"{image}","HostConfig":{"Warp":true}}"#, "Warp", Ignores("Warp")),
    passes("maps have keys of any case", Host, r#"{"Image":"{image}","Labels":{"a":"1","A":"2"},"Env":["A=1"]}"#),
    passes("nothing set", Host, r#"{"Image":"{image}"}"#),

    // --- access to the host -------------------------------------------------------------------------------------------------------
    create("privileged", Host, r#"{"Image":"{image}","HostConfig":{"Privileged":true}}"#, "everything of the host", Shows(r#""Privileged":true"#)),
    create("B14 one capability as a text", Host, r#"{"Image":"{image}","HostConfig":{"CapAdd":"sys_admin"}}"#, "sys_admin", Shows(r#""CapAdd":["sys_admin"]"#)),
    create("B14 cap_ prefix", Host, r#"{"Image":"{image}","HostConfig":{"CapAdd":["cap_sys_admin"]}}"#, "cap_sys_admin", Shows(r#""CapAdd":["cap_sys_admin"]"#)),
    create("B14 all", Host, r#"{"Image":"{image}","HostConfig":{"CapAdd":["all"]}}"#, "`all`", Shows(r#""CapAdd":["all"]"#)),
    create("one bad among good", Host, r#"{"Image":"{image}","HostConfig":{"CapAdd":["CHOWN","BPF"]}}"#, "BPF", NotTried),
    passes("capabilities everybody has", Host, r#"{"Image":"{image}","HostConfig":{"CapDrop":["ALL"],"CapAdd":["NET_BIND_SERVICE","cap_chown"]}}"#),
    create("B15 masked paths emptied", Host, r#"{"Image":"{image}","HostConfig":{"MaskedPaths":[]}}"#, "MaskedPaths", Shows(r#""MaskedPaths":[]"#)),
    create("B15 read-only paths emptied", Host, r#"{"Image":"{image}","HostConfig":{"ReadonlyPaths":[]}}"#, "ReadonlyPaths", Shows(r#""ReadonlyPaths":[]"#)),
    create("masked paths shortened", Host, r#"{"Image":"{image}","HostConfig":{"MaskedPaths":["/proc/kcore"]}}"#, "MaskedPaths", Shows(r#""MaskedPaths":["/proc/kcore"]"#)),
    passes("B15 null is the default", Host, r#"{"Image":"{image}","HostConfig":{"MaskedPaths":null,"ReadonlyPaths":null}}"#),
    create("B17 seccomp=unconfined", Host, r#"{"Image":"{image}","HostConfig":{"SecurityOpt":["seccomp=unconfined"]}}"#, "seccomp=unconfined", Shows("seccomp=unconfined")),
    create("B17 seccomp:unconfined", Host, r#"{"Image":"{image}","HostConfig":{"SecurityOpt":["seccomp:unconfined"]}}"#, "seccomp:unconfined", Shows("seccomp:unconfined")),
    create("seccomp profile inline", Host, r#"{"Image":"{image}","HostConfig":{"SecurityOpt":["seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}"]}}"#, "SecurityOpt", Shows("SCMP_ACT_ALLOW")),
    create("apparmor=unconfined", Host, r#"{"Image":"{image}","HostConfig":{"SecurityOpt":["apparmor=unconfined"]}}"#, "apparmor", Shows("apparmor=unconfined")),
    create("B17 disable", Host, r#"{"Image":"{image}","HostConfig":{"SecurityOpt":["disable"]}}"#, "disable", Shows(r#""SecurityOpt":["disable"]"#)),
    create("label=disable", Host, r#"{"Image":"{image}","HostConfig":{"SecurityOpt":["label=disable"]}}"#, "label", Shows("label=disable")),
    create("label=type", Host, r#"{"Image":"{image}","HostConfig":{"SecurityOpt":["label=type:spc_t"]}}"#, "label", Shows("label=type:spc_t")),
    create("B17 writable cgroups", Host, r#"{"Image":"{image}","HostConfig":{"SecurityOpt":["writable-cgroups=true"]}}"#, "writable-cgroups", UpTo(47, &OtherEngines, &Does)),
    create("no-new-privileges off", Host, r#"{"Image":"{image}","HostConfig":{"SecurityOpt":["no-new-privileges=false"]}}"#, "no-new-privileges", Shows("no-new-privileges=false")),
    passes("what strengthens", Host, r#"{"Image":"{image}","HostConfig":{"SecurityOpt":["no-new-privileges","no-new-privileges:true"]}}"#),
    create("B18 device rules", Host, r#"{"Image":"{image}","HostConfig":{"DeviceCgroupRules":["a *:* rwm"]}}"#, "devices", Shows("a *:* rwm")),
    create("B18 devices", Host, r#"{"Image":"{image}","HostConfig":{"Devices":[{"PathOnHost":"/dev/null","PathInContainer":"/dev/x","CgroupPermissions":"rwm"}]}}"#, "devices", Shows("/dev/x")),
    create("B18 CDI", Host, r#"{"Image":"{image}","HostConfig":{"DeviceRequests":[{"Driver":"cdi","DeviceIDs":["x/y=z"]}]}}"#, "devices", Shows("x/y=z")),
    create("devices by variable", Host, r#"{"Image":"{image}","Env":["NVIDIA_VISIBLE_DEVICES=all"]}"#, "NVIDIA", Shows("NVIDIA_VISIBLE_DEVICES")),
    create("B19 volumes from", Host, r#"{"Image":"{image}","HostConfig":{"VolumesFrom":["{victim}"]}}"#, "VolumesFrom", Shows("VolumesFrom\":[\"")),
    create("B20 pid of another", Host, r#"{"Image":"{image}","HostConfig":{"PidMode":"container:{victim}"}}"#, "PidMode", Shows("container:")),
    create("B20 pid", Host, r#"{"Image":"{image}","HostConfig":{"PidMode":"host"}}"#, "PidMode", Shows(r#""PidMode":"host""#)),
    create("B20 ipc", Host, r#"{"Image":"{image}","HostConfig":{"IpcMode":"host"}}"#, "IpcMode", Shows(r#""IpcMode":"host""#)),
    create("ipc of another", Host, r#"{"Image":"{image}","HostConfig":{"IpcMode":"container:{sharer}"}}"#, "IpcMode", Shows("container:")),
    create("B20 user namespace", Host, r#"{"Image":"{image}","HostConfig":{"UsernsMode":"host"}}"#, "UsernsMode", Shows(r#""UsernsMode":"host""#)),
    create("B20 host name", Host, r#"{"Image":"{image}","HostConfig":{"UTSMode":"host"}}"#, "UTSMode", Shows(r#""UTSMode":"host""#)),
    create("cgroup of another", Host, r#"{"Image":"{image}","HostConfig":{"Cgroup":"container:{victim}"}}"#, "Cgroup", Shows(r#""Cgroup":"container:"#)),
    create("network of the host", Host, r#"{"Image":"{image}","HostConfig":{"NetworkMode":"host"}}"#, "network of the host", Shows(r#""NetworkMode":"host""#)),
    create("network of another", Host, r#"{"Image":"{image}","HostConfig":{"NetworkMode":"container:{victim}"}}"#, "NetworkMode", Shows("container:")),
    create("B23 the host network by its id", Host, r#"{"Image":"{image}","HostConfig":{"NetworkMode":"{hostnet}"}}"#, "network of the host", Shows(r#""NetworkMode":"{hostnet}""#)),
    create("B23 the host network by a part of its id", Host, r#"{"Image":"{image}","HostConfig":{"NetworkMode":"{hostnet3}"}}"#, "network of the host", Shows(r#""NetworkMode":"{hostnet3}""#)),
    create("the host network as an endpoint", Host, r#"{"Image":"{image}","HostConfig":{"NetworkMode":"none"},"NetworkingConfig":{"EndpointsConfig":{"host":{}}}}"#, "network of the host", Shows(r#""host":{"#)),
    passes("a network of one's own", Host, r#"{"Image":"{image}","HostConfig":{"NetworkMode":"{other}"},"NetworkingConfig":{"EndpointsConfig":{"{other}":{"Aliases":["web"]}}}}"#),
    create("B21 cgroup parent", Host, r#"{"Image":"{image}","HostConfig":{"CgroupParent":"/docker/{victim}"}}"#, "CgroupParent", Shows(r#""CgroupParent":"/docker/"#)),
    create("sysctl of the kernel", Host, r#"{"Image":"{image}","HostConfig":{"Sysctls":{"kernel.core_pattern":"|/x"}}}"#, "kernel.core_pattern", Shows("kernel.core_pattern")),
    passes("sysctls of its own", Host, r#"{"Image":"{image}","HostConfig":{"Sysctls":{"net.core.somaxconn":"1024","kernel.shmmax":"1"}}}"#),
    create("another runtime", Host, r#"{"Image":"{image}","HostConfig":{"Runtime":"io.containerd.runtime.v1.linux"}}"#, "Runtime", Shows(r#""Runtime":"io.containerd.runtime.v1.linux""#)),
    create("annotations", Host, r#"{"Image":"{image}","HostConfig":{"Annotations":{"org.systemd.property.X":"1"}}}"#, "Annotations", Ignores("org.systemd")),
    create("B27 syslog to a socket", Host, r#"{"Image":"{image}","HostConfig":{"LogConfig":{"Type":"syslog","Config":{"syslog-address":"unix:///var/run/docker.sock"}}}}"#, "syslog", Shows("syslog-address")),
    create("log driver with an address", Host, r#"{"Image":"{image}","HostConfig":{"LogConfig":{"Type":"gelf","Config":{"gelf-address":"udp://127.0.0.1:1"}}}}"#, "gelf", Shows("gelf-address")),
    create("fluentd", Host, r#"{"Image":"{image}","HostConfig":{"LogConfig":{"Type":"fluentd","Config":{"fluentd-address":"127.0.0.1:1"}}}}"#, "fluentd", Shows("fluentd-address")),
    passes("logs in the engine's own files", Host, r#"{"Image":"{image}","HostConfig":{"LogConfig":{"Type":"json-file","Config":{"max-size":"10m","max-file":"3"}}}}"#),
    create("links", Host, r#"{"Image":"{image}","HostConfig":{"Links":["{victim}:db"]}}"#, "Links", Shows("/db\"")),
    create("links of an endpoint", Host, r#"{"Image":"{image}","NetworkingConfig":{"EndpointsConfig":{"{other}":{"Links":["{victim}:db"]}}}}"#, "Links", Shows(":db")),
    create("parameters of an interface", Host, r#"{"Image":"{image}","NetworkingConfig":{"EndpointsConfig":{"{other}":{"DriverOpts":{"com.docker.network.endpoint.sysctls":"net.ipv4.conf.IFNAME.forwarding=1"}}}}}"#, "DriverOpts", Shows("com.docker.network.endpoint.sysctls")),
    passes("the name of an interface", Host, r#"{"Image":"{image}","HostConfig":{"NetworkMode":"{other}"},"NetworkingConfig":{"EndpointsConfig":{"{other}":{"DriverOpts":{"com.docker.network.endpoint.ifname":"eth7"}}}}}"#),
    create("the groups of the engine itself", Host, r#"{"Image":"{image}","HostConfig":{"GroupAdd":["keep-groups"]}}"#, "GroupAdd", Shows("keep-groups")),
    passes("a variable without a value", Host, r#"{"Image":"{image}","Env":["PATH"],"HostConfig":{"ContainerIDFile":"/tmp/x"}}"#),
    allow("a network that only holds settings", Host, NETWORK, r#"{"Name":"{name}","ConfigOnly":true,"CheckDuplicate":true}"#, Does),
    deny("settings of another network", Host, NETWORK, r#"{"Name":"{name}","ConfigFrom":{"Network":"{other}"}}"#, "ConfigFrom", OtherEngines),
    allow("a network that the host is not in", Host, NETWORK, r#"{"Name":"{name}","Internal":true,"Options":{"com.docker.network.bridge.gateway_mode_ipv4":"isolated"}}"#, Does),
    deny("a network that is open to others", Host, NETWORK, r#"{"Name":"{name}","Options":{"com.docker.network.bridge.gateway_mode_ipv4":"nat-unprotected"}}"#, "gateway_mode_ipv4", Shows("nat-unprotected")),
    case("a parameter in another case", Host, "POST /v1.41/build?NetworkMode=host", "", Want::Refused(400, "NetworkMode"), Does),
    create("a directory of the runtime", Host, r#"{"Image":"{image}","WorkingDir":"/proc/self/fd/8"}"#, "WorkingDir", Shows("/proc/self/fd/8")),
    create("a volume driver", Host, r#"{"Image":"{image}","HostConfig":{"VolumeDriver":"local-persist","Binds":["v:/h"]}}"#, "volume driver", OtherEngines),
    create("host mounts while nothing is listed", Host, r#"{"Image":"{image}","HostConfig":{"Binds":["/srv:/h"]}}"#, "mounts the host's `/srv`", Shows("/srv:/h")),
    passes("a named volume", Host, r#"{"Image":"{image}","HostConfig":{"Binds":["{volume}:/h"]}}"#),
    passes("tmpfs", Host, r#"{"Image":"{image}","HostConfig":{"Tmpfs":{"/run":"size=1m"},"Mounts":[{"Type":"tmpfs","Target":"/x"}]}}"#),
    passes("ports, limits, restarts", Host, r#"{"Image":"{image}","ExposedPorts":{"80/tcp":{}},"HostConfig":{"PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"0"}]},"Memory":67108864,"NanoCpus":500000000,"PidsLimit":64,"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3},"Init":true,"ReadonlyRootfs":true,"ShmSize":1048576,"GroupAdd":["1000"],"ExtraHosts":["a:127.0.0.1"],"Dns":["127.0.0.1"]}}"#),
    deny("B29 privileged exec", Host, EXEC, r#"{"Cmd":["true"],"Privileged":true}"#, "Privileged", Shows(r#""privileged":true"#)),
    deny("B29 lower case", Host, EXEC, r#"{"Cmd":["true"],"privileged":true}"#, "privileged", Shows(r#""privileged":true"#)),
    deny("exec in a directory of the runtime", Host, EXEC, r#"{"Cmd":["true"],"WorkingDir":"/proc/self/fd/7"}"#, "WorkingDir", Does),
    deny("exec in a privileged container", Host, "POST /v1.41/containers/{root}/exec", r#"{"Cmd":["true"]}"#, "is privileged", NotTried),
    deny("exec beside the host's processes", Host, "POST /v1.41/containers/{watcher}/exec", r#"{"Cmd":["true"]}"#, "shares a namespace", Shows(r#""ContainerID":""#)),
    deny("attach to a privileged container", Host, "POST /v1.41/containers/{root}/attach", "", "is privileged", NotTried),
    deny("exec where the engine's socket is", Host, "POST /v1.41/containers/{proxy}/exec", r#"{"Cmd":["true"]}"#, "socket of the engine", Shows(r#""ContainerID":"{proxyid}""#)),
    allow("an ordinary exec", Host, EXEC, r#"{"AttachStdin":false,"AttachStdout":true,"AttachStderr":true,"Detach":false,"DetachKeys":"","Tty":false,"Env":null,"Cmd":["true"],"Privileged":false,"User":"","WorkingDir":""}"#, Does),
    allow("docker-py's exec", Host, EXEC, r#"{"Container":"{victim}","User":"","Privileged":false,"Tty":false,"AttachStdin":false,"AttachStdout":true,"AttachStderr":true,"Cmd":["true"],"Env":["A=1"],"WorkingDir":"/"}"#, Does),
    allow("engines go by the path", Host, EXEC, r#"{"Container":"{watcher}","Cmd":["true"]}"#, Shows(r#""ContainerID":"{victim-id}""#)),
    allow("starting an exec", Host, "POST /v1.41/exec/{victim-exec}/start", r#"{"Detach":true,"Tty":false}"#, NotTried),
    deny("starting a privileged exec", Host, "POST /v1.41/exec/{privileged-exec}/start", r#"{"Detach":true,"Tty":false}"#, "every capability", NotTried),
    deny("starting an exec beside the host's processes", Host, "POST /v1.41/exec/{watcher-exec}/start", r#"{"Detach":true,"Tty":false}"#, "shares a namespace", Does),
    case("an exec that is not there", Host, "POST /v1.41/exec/{name}/start", r#"{"Detach":true,"Tty":false}"#, Want::Refused(404, "No such exec"), OtherEngines),
    deny("archive writes", Host, "PUT /v1.41/containers/{victim}/archive?path=%2Ftmp", "", "writes files", NotTried),
    allow("B31 a restart policy", Host, "POST /v1.41/containers/{victim}/update", r#"{"RestartPolicy":{"Name":"no"}}"#, Does),
    deny("update with devices", Host, "POST /v1.41/containers/{victim}/update", r#"{"Devices":[{"PathOnHost":"/dev/mem"}]}"#, "devices", Ignores("/dev/mem")),
    deny("update of the cgroup", Host, "POST /v1.41/containers/{victim}/update", r#"{"CgroupParent":"/x"}"#, "CgroupParent", Ignores(r#""CgroupParent":"/x""#)),
    deny("build in the host's network", Host, "POST /v1.41/build?networkmode=host", "", "networkmode", Shows("docker0")),
    deny("C05 build in another's network", Host, "POST /v1.41/build?networkmode=container:{victim}", "", "networkmode", Shows("{victimaddress}")),
    deny("remote context", Host, "POST /v1.41/build?remote=http%3A%2F%2F127.0.0.1%3A1%2Fx", "", "remote", NotTried),
    deny("BuildKit", Host, "POST /v1.41/build?version=2&remote=client-session", "", "BuildKit", NotTried),
    deny("build under another cgroup", Host, "POST /v1.41/build?cgroupparent=%2Fx", "", "cgroupparent", Does),
    case("a parameter twice", Host, "POST /v1.41/build?networkmode=host&networkmode=default", "", Want::Refused(400, "more than once"), Shows("docker0")),
    deny("a build that is less isolated", Host, "POST /v1.41/build?securityopt=seccomp%3Dunconfined", "", "securityopt", OtherEngines),
    deny("a build that writes elsewhere", Host, "POST /v1.41/build?outputs=%5B%7B%22Type%22%3A%22local%22%7D%5D", "", "outputs", NotTried),
    deny("BuildKit's session", Host, "POST /v1.41/session", "", "BuildKit", NotTried),
    deny("BuildKit's control", Host, "POST /grpc", "", "BuildKit", NotTried),
    allow("an ordinary build", Host, BUILD, "", Does),
    deny("import by address", Host, "POST /v1.41/images/create?fromSrc=http%3A%2F%2F127.0.0.1%3A1%2Fx.tar", "", "fetch", NotTried),
    deny("plugin pull", Host, "POST /v1.41/plugins/pull?remote=x&name=x", "[]", "plugin", NotTried),
    deny("plugin create", Host, "POST /v1.41/plugins/create?name=x", "", "plugin", NotTried),
    deny("plugin set", Srv, "POST /v1.41/plugins/x/set", r#"["a=b"]"#, "plugin", NotTried),
    deny("swarm join", Host, "POST /v1.41/swarm/join", r#"{"RemoteAddrs":["127.0.0.1:1"]}"#, "commands this host", NotTried),
    deny("swarm init", Host, "POST /v1.41/swarm/init", r#"{"ListenAddr":"127.0.0.1:2377"}"#, "commands this host", NotTried),
    deny("swarm update", Host, "POST /v1.41/swarm/update?version=1", "{}", "commands this host", NotTried),
    deny("swarm leave", Host, "POST /v1.41/swarm/leave?force=1", "", "commands this host", NotTried),
    deny("swarm unlock", Host, "POST /v1.41/swarm/unlock", r#"{"UnlockKey":"x"}"#, "commands this host", NotTried),
    deny("node update", Host, "POST /v1.41/nodes/x/update?version=1", r#"{"Role":"manager"}"#, "commands the swarm", NotTried),
    deny("secret of a plugin", Host, "POST /v1.41/secrets/create", r#"{"Name":"x","Driver":{"Name":"vault"}}"#, "plugin", NotTried),
    deny("network on the host's link", Host, NETWORK, r#"{"Name":"{name}","Driver":"macvlan","Options":{"parent":"lo"}}"#, "network of the host", NotTried),
    deny("name of a bridge", Host, NETWORK, r#"{"Name":"{name}","Options":{"com.docker.network.bridge.name":"{bridge}"}}"#, "com.docker.network.bridge.name", Shows(r#""com.docker.network.bridge.name":"{bridge}""#)),
    deny("an address of the host", Host, NETWORK, r#"{"Name":"{name}","Options":{"com.docker.network.bridge.host_binding_ipv4":"0.0.0.0"}}"#, "host_binding_ipv4", Shows("host_binding_ipv4")),
    deny("another address driver", Host, NETWORK, r#"{"Name":"{name}","IPAM":{"Driver":"dhcp"}}"#, "address driver", OtherEngines),
    deny("another network's configuration", Host, NETWORK, r#"{"Name":"{name}","ConfigFrom":{"Network":"x"}}"#, "ConfigFrom", OtherEngines),
    allow("an ordinary network", Host, NETWORK, r#"{"CheckDuplicate":true,"Name":"{name}","Driver":"bridge","Scope":"","EnableIPv6":false,"IPAM":{"Driver":"default","Options":{},"Config":[]},"Internal":false,"Attachable":false,"Ingress":false,"ConfigOnly":false,"ConfigFrom":null,"Options":{},"Labels":{}}"#, Does),
    deny("B32 host network", Host, SERVICE, r#"{"Name":"{name}","TaskTemplate":{"ContainerSpec":{"Image":"{image}"},"Networks":[{"Target":"host"}]}}"#, "network of the host", NotTried),
    deny("B32 host network, old place", Host, SERVICE, r#"{"Name":"{name}","TaskTemplate":{"ContainerSpec":{"Image":"{image}"}},"Networks":[{"Target":"host"}]}"#, "network of the host", NotTried),
    deny("B32 plugin", Host, SERVICE, r#"{"Name":"{name}","TaskTemplate":{"Runtime":"plugin","PluginSpec":{"Name":"x","Remote":"x"}}}"#, "plugin", NotTried),
    deny("service capability", Host, SERVICE, r#"{"Name":"{name}","TaskTemplate":{"ContainerSpec":{"Image":"{image}","CapabilityAdd":["CAP_SYS_ADMIN"]}}}"#, "SYS_ADMIN", NotTried),
    deny("service seccomp", Host, SERVICE, r#"{"Name":"{name}","TaskTemplate":{"ContainerSpec":{"Image":"{image}","Privileges":{"Seccomp":{"Mode":"unconfined"}}}}}"#, "Seccomp", NotTried),
    deny("service log address", Host, SERVICE, r#"{"Name":"{name}","TaskTemplate":{"ContainerSpec":{"Image":"{image}"},"LogDriver":{"Name":"syslog","Options":{"syslog-address":"unix:///x"}}}}"#, "syslog", NotTried),
    allow("an ordinary service", Host, SERVICE, r#"{"Name":"{name}","Labels":{"a":"b"},"TaskTemplate":{"ContainerSpec":{"Image":"{image}","Args":["true"],"Env":["A=1"],"Init":false,"DNSConfig":{},"Privileges":null,"Isolation":"default","Mounts":[{"Type":"volume","Source":"{volume}","Target":"/data"}]},"Resources":{"Limits":{},"Reservations":{}},"RestartPolicy":{"Condition":"none"},"Placement":{},"ForceUpdate":0,"Runtime":"container","LogDriver":{"Name":"json-file"}},"Mode":{"Replicated":{"Replicas":1}},"UpdateConfig":{"Parallelism":1},"EndpointSpec":{"Mode":"vip","Ports":[{"Protocol":"tcp","TargetPort":80,"PublishedPort":18080,"PublishMode":"ingress"}]}}"#, NotTried),

    // --- host mounts -----------------------------------------------------------------------------------------------------------------
    passes("inside", Srv, r#"{"Image":"{image}","HostConfig":{"Binds":["{srv}/a:/h:ro"],"Mounts":[{"Type":"bind","Source":"{srv}","Target":"/m"}]}}"#),
    passes("inside, access to the host denied", HostSrv, r#"{"Image":"{image}","HostConfig":{"Binds":["{srv}/./a//b:/h:ro"]}}"#),
    passes("anonymous volumes", Srv, r#"{"Image":"{image}","Volumes":{"/data":{}},"HostConfig":{"Binds":["/anonymous"]}}"#),
    create("outside", Srv, r#"{"Image":"{image}","HostConfig":{"Binds":["/etc:/h"]}}"#, "mounts the host's `/etc`", Shows("/etc:/h")),
    create("B24 dots", Srv, r#"{"Image":"{image}","HostConfig":{"Binds":["/srv/../:/h"]}}"#, "holds `..`", Shows(r#""Binds":["/srv/../:/h"]"#)),
    create("B24 slashes", Srv, r#"{"Image":"{image}","HostConfig":{"Binds":["//:/h"]}}"#, "mounts the host's `//`", Shows(r#""Binds":["//:/h"]"#)),
    create("B24 through proc", Srv, r#"{"Image":"{image}","HostConfig":{"Binds":["/proc/self/root:/h"]}}"#, "/proc/self/root", Shows(r#""Source":"/proc/self/root""#)),
    create("B24 a longer name", Srv, r#"{"Image":"{image}","HostConfig":{"Binds":["/srv-evil:/h"]}}"#, "/srv-evil", Shows(r#""Source":"/srv-evil""#)),
    create("a mount of type bind", Srv, r#"{"Image":"{image}","HostConfig":{"Mounts":[{"Type":"bind","Source":"/etc","Target":"/h"}]}}"#, "mounts the host's `/etc`", Shows("\"Source\":\"/etc\"")),
    create("dots in a mount", Srv, r#"{"Image":"{image}","HostConfig":{"Mounts":[{"Type":"bind","Source":"/srv/../etc","Target":"/h"}]}}"#, "holds `..`", Shows(r#""Source":"/etc""#)),
    create("B25 overlay", Srv, r#"{"Image":"{image}","HostConfig":{"Mounts":[{"Type":"volume","Source":"{name}","Target":"/h","VolumeOptions":{"DriverConfig":{"Name":"local","Options":{"type":"overlay","device":"overlay","o":"lowerdir=/:/usr"}}}}]}}"#, "overlay", Shows("lowerdir=/:/usr")),
    create("B25 rbind without a driver's name", Srv, r#"{"Image":"{image}","HostConfig":{"Mounts":[{"Type":"volume","Source":"{name}","Target":"/h","VolumeOptions":{"DriverConfig":{"Name":"","Options":{"type":"none","o":"rbind","device":"/"}}}}]}}"#, "mounts the host's `/`", Shows(r#""o":"rbind""#)),
    create("B25 9p with bind", Srv, r#"{"Image":"{image}","HostConfig":{"Mounts":[{"Type":"volume","Source":"{name}","Target":"/h","VolumeOptions":{"DriverConfig":{"Options":{"type":"9p","o":"ro,bind","device":"/"}}}}]}}"#, "mounts the host's `/`", Shows(r#""o":"ro,bind""#)),
    create("an anonymous volume with options", Srv, r#"{"Image":"{image}","HostConfig":{"Mounts":[{"Type":"volume","Target":"/h","VolumeOptions":{"DriverConfig":{"Name":"local","Options":{"type":"none","o":"bind","device":"/"}}}}]}}"#, "mounts the host's `/`", Shows(r#""device":"/""#)),
    create("a type nobody knows", Srv, r#"{"Image":"{image}","HostConfig":{"Mounts":[{"Type":"npipe","Source":"/","Target":"/h"}]}}"#, "npipe", OtherEngines),
    create("a cluster volume", Srv, r#"{"Image":"{image}","HostConfig":{"Mounts":[{"Type":"cluster","Source":"x","Target":"/h"}]}}"#, "cluster", OtherEngines),
    create("B26 a bad volume that exists", Srv, r#"{"Image":"{image}","HostConfig":{"Binds":["{badvolume}:/h"]}}"#, "mounts the host's `/`", Shows(r#""Name":"{badvolume}""#)),
    create("B26 in a mount", Srv, r#"{"Image":"{image}","HostConfig":{"Mounts":[{"Type":"volume","Source":"{badvolume}","Target":"/h"}]}}"#, "mounts the host's `/`", Shows(r#""Name":"{badvolume}""#)),
    passes("a target with an equals sign", Srv, r#"{"Image":"{image}","HostConfig":{"Binds":["{srv}:/data/date=2024","{srv}:/a b:ro"]}}"#),
    passes("a target with a comma", Srv, r#"{"Image":"{image}","HostConfig":{"Mounts":[{"Type":"bind","Source":"{srv}","Target":"/dätä/a,b"}]}}"#),
    create("but the source decides", Srv, r#"{"Image":"{image}","HostConfig":{"Binds":["/etc:/data/date=2024"]}}"#, "mounts the host's `/etc`", Shows("/etc:/data/date=2024")),
    create("what a client may not read is not told", Blind, r#"{"Image":"{image}","HostConfig":{"Binds":["{badvolume}:/h"]}}"#, "`HostConfig.Binds[0]` mounts a volume that shows more than is allowed; ", Shows(r#""Name":"{badvolume}""#)),
    create("nor of another container", Blind, r#"{"Image":"{image}","HostConfig":{"VolumesFrom":["{mounter}:ro"]}}"#, "`HostConfig.VolumesFrom[0]` takes over mounts that are not allowed; ", Shows(r#""Source":"/etc""#)),
    create("mounts of another container", Srv, r#"{"Image":"{image}","HostConfig":{"VolumesFrom":["{mounter}:ro"]}}"#, "VolumesFrom", Shows(r#""Source":"/etc""#)),
    passes("mounts of a container without any", Srv, r#"{"Image":"{image}","HostConfig":{"VolumesFrom":["{victim}"]}}"#),
    create("a volume driver", Srv, r#"{"Image":"{image}","HostConfig":{"VolumeDriver":"local-persist","Binds":["v:/h"]}}"#, "volume driver", OtherEngines),
    create("everything is refused", NoMounts, r#"{"Image":"{image}","HostConfig":{"Binds":["/srv:/h"]}}"#, "-denyhostmounts", Shows(r#""Source":"/srv""#)),
    passes("but named volumes", NoMounts, r#"{"Image":"{image}","HostConfig":{"Binds":["{volume}:/h"]}}"#),
    create("and bad ones", NoMounts, r#"{"Image":"{image}","HostConfig":{"Binds":["{badvolume}:/h"]}}"#, "-denyhostmounts", Shows(r#""Name":"{badvolume}""#)),
    deny("B26 volume of a directory", Srv, VOLUME, r#"{"Name":"{name}","Driver":"local","DriverOpts":{"type":"none","o":"bind","device":"/etc"}}"#, "mounts the host's `/etc`", Shows("/etc")),
    deny("options in another case of the field", Srv, VOLUME, r#"{"Name":"{name}","driveroPTs":{"type":"none","o":"bind","device":"/etc"}}"#, "mounts the host's `/etc`", Shows("/etc")),
    deny("volume without type", Srv, VOLUME, r#"{"Name":"{name}","DriverOpts":{"type":"","o":"bind","device":"/"}}"#, "mounts the host's `/`", Shows("\"device\":\"/\"")),
    deny("volume of procfs", Srv, VOLUME, r#"{"Name":"{name}","DriverOpts":{"type":"proc","device":"proc"}}"#, "`proc`", Shows("\"type\":\"proc\"")),
    deny("volume of sysfs", Srv, VOLUME, r#"{"Name":"{name}","DriverOpts":{"type":"sysfs","device":"sysfs","o":"rw"}}"#, "`sysfs`", Shows("\"type\":\"sysfs\"")),
    deny("volume of a cgroup", Srv, VOLUME, r#"{"Name":"{name}","DriverOpts":{"type":"cgroup","device":"cgroup","o":"devices"}}"#, "`cgroup`", Shows("\"type\":\"cgroup\"")),
    deny("volume of a disk", Srv, VOLUME, r#"{"Name":"{name}","DriverOpts":{"type":"ext4","device":"/dev/vda"}}"#, "`ext4`", Shows("/dev/vda")),
    deny("volume of a plugin", Srv, VOLUME, r#"{"Name":"{name}","Driver":"local-persist"}"#, "volume driver", OtherEngines),
    allow("volume of tmpfs", Srv, VOLUME, r#"{"Name":"{name}","DriverOpts":{"type":"tmpfs","device":"tmpfs","o":"size=1m"}}"#, Does),
    allow("volume inside", Srv, VOLUME, r#"{"Name":"{name}","DriverOpts":{"type":"none","o":"bind","device":"{srv}"}}"#, Does),
    allow("a plain volume", HostSrv, VOLUME, r#"{"Name":"{name}","Driver":"local","DriverOpts":{},"Labels":{}}"#, Does),
    allow("NFS stays possible", Srv, VOLUME, r#"{"Name":"{name}","DriverOpts":{"type":"nfs","o":"addr=127.0.0.1,rw","device":":/export"}}"#, Does),
    deny("unless it is refused", NoNetwork, VOLUME, r#"{"Name":"{name}","DriverOpts":{"type":"nfs","o":"addr=127.0.0.1,rw","device":":/export"}}"#, "-denynetworkvolumes", Shows(r#""type":"nfs""#)),
    deny("CIFS likewise", NoNetwork, VOLUME, r#"{"Name":"{name}","DriverOpts":{"type":"cifs","o":"username=x","device":"//127.0.0.1/x"}}"#, "-denynetworkvolumes", Shows(r#""type":"cifs""#)),
    deny("a bind that calls itself NFS", Srv, VOLUME, r#"{"Name":"{name}","DriverOpts":{"type":"nfs","o":"addr=127.0.0.1,bind","device":"/"}}"#, "mounts the host's `/`", Shows("addr=127.0.0.1,bind")),
    deny("service mounts", Srv, SERVICE, r#"{"Name":"{name}","TaskTemplate":{"ContainerSpec":{"Image":"{image}","Mounts":[{"Type":"volume","Target":"/h","VolumeOptions":{"DriverConfig":{"Options":{"type":"none","o":"bind","device":"/"}}}}]}}}"#, "mounts the host's `/`", NotTried),
    deny("service update", Srv, "POST /v1.41/services/x/update?version=1", r#"{"Name":"{name}","TaskTemplate":{"ContainerSpec":{"Image":"{image}","Mounts":[{"Type":"bind","Source":"/","Target":"/h"}]}}}"#, "mounts the host's `/`", NotTried),
    deny("service rollback", Srv, "POST /v1.41/services/{service}/update?version=1&rollback=previous", r#"{"Name":"{name}"}"#, "PreviousSpec", NotTried),
    deny("checkpoint to the host", Srv, "POST /v1.41/containers/{victim}/checkpoints", r#"{"CheckpointID":"x","CheckpointDir":"/etc"}"#, "mounts the host's `/etc`", NotTried),
    deny("checkpoint from the host", Srv, "POST /v1.41/containers/{victim}/start?checkpoint=x&checkpoint-dir=%2Fetc", "", "mounts the host's `/etc`", NotTried),
    deny("checkpoint removed from the host", Srv, "DELETE /v1.41/containers/{victim}/checkpoints/x?dir=%2Fetc", "", "mounts the host's `/etc`", NotTried),
    case("B28 start with a body", Srv, "POST /v1.23/containers/{victim}/start", r#"{"Binds":["/:/h"]}"#, Want::Refused(400, "too old"), NotTried),
    deny("an operation nobody knows", Srv, "POST /libpod/containers/create", "{}", "no operation", NotTried),

    // --- a client's own rights --------------------------------------------------------------------------------------------------------
    create("C01 a label of ours", Own, r#"{"Image":"{image}","Labels":{"socket-proxy.allow.post":".*"}}"#, "socket-proxy.allow.post", Shows("socket-proxy.allow.post")),
    create("C01 the other prefix", Own, r#"{"Image":"{image}","labels":{"a":"b","sockwarden.hostaccess":"allow"}}"#, "sockwarden.hostaccess", Shows("sockwarden.hostaccess")),
    create("C01 a slip of ours", Own, r#"{"Image":"{image}","Labels":{"sockwarden.alow.get":".*"}}"#, "sockwarden.alow.get", Shows("sockwarden.alow.get")),
    case("C02 an image of another platform", Own, "POST /v1.41/containers/create?name={name}&platform=linux%2F386", r#"{"Image":"{image}"}"#, Want::Refused(403, "another platform"), NotTried),
    create("C01 the prefix in another case", Own, r#"{"Image":"{image}","Labels":{"SockWarden.Allow.Get":".*"}}"#, "SockWarden.Allow.Get", Shows("SockWarden.Allow.Get")),
    create("C01 the peer's prefix in another case", Own, r#"{"Image":"{image}","Labels":{"Socket-Proxy.allow.get":".*"}}"#, "Socket-Proxy.allow.get", Shows("Socket-Proxy.allow.get")),
    create("C01 behind a blank", Own, r#"{"Image":"{image}","Labels":{" sockwarden.allow.get":".*"}}"#, "sockwarden.allow.get", Shows("sockwarden.allow.get")),
    passes("C01 who created it, which is written over", Own, r#"{"Image":"{image}","Labels":{"sockwarden.creator":"name:x"}}"#),
    create("C01 who created it, in another case", Own, r#"{"Image":"{image}","Labels":{"Sockwarden.creator":"name:x"}}"#, "Sockwarden.creator", Shows("Sockwarden.creator")),
    deny("C04 who created it, in a build", Builder, "POST /v1.41/build?labels=%7B%22sockwarden.creator%22%3A%22name%3Ax%22%7D", "", "sockwarden.creator", Shows(r#""sockwarden.creator":"name:x""#)),
    deny("C06 who created it, in a commit", Own, "POST /v1.41/commit?container={victim}&repo={commit}&changes=LABEL%20sockwarden.creator%3Dname:x", "", "changes", Shows(r#""sockwarden.creator":"name:x""#)),
    create("labels where there is no HostConfig", Own, r#"{"Image":"{image}","HostConfig":null,"LABELS":{"sockwarden.allow.get":".*"}}"#, "sockwarden.allow.get", Shows("sockwarden.allow.get")),
    unclear("labels twice", r#"{"Image":"{image}","Labels":{"sockwarden.allow.get":".*"},"labels":{}}"#, "twice", Shows("sockwarden.allow.get")),
    create("its name as a host name", Own, r#"{"Image":"{image}","Hostname":"{proxy}"}"#, "takes the name", Shows(r#""Hostname":"{proxy}""#)),
    passes("other labels", Own, r#"{"Image":"{image}","Labels":{"com.example.allow.get":"x","sockwardens.allow.get":"x"}}"#),
    deny("C04 labels of a build", Builder, "POST /v1.41/build?labels=%7B%22sockwarden.allow.get%22%3A%22.*%22%7D", "", "sockwarden.allow.get", Shows(r#""sockwarden.allow.get":".*""#)),
    deny("labels of a build, in escapes", Builder, "POST /v1.41/build?labels=%7B%22\\u0073ockwarden.allow.get%22%3A%22.*%22%7D", "", "sockwarden.allow.get", Shows(r#""sockwarden.allow.get":".*""#)),
    case("labels of a build that nobody can read", Builder, "POST /v1.41/build?labels=%7B%22a", "", Want::Refused(400, "labels"), OtherEngines),
    deny("C05 build as another", Builder, "POST /v1.41/build?networkmode=container%3A{victim}", "", "networkmode", Shows("{victimaddress}")),
    deny("C05 build on the proxy's network", Builder, "POST /v1.41/build?networkmode={net}", "", "networkmode", Shows("{netaddresses}")),
    deny("C05 by a part of its id", Builder, "POST /v1.41/build?networkmode={net4}", "", "networkmode", Shows("{netaddresses}")),
    deny("C06 commit with a label", Own, "POST /v1.41/commit?container={victim}&repo={commit}&changes=LABEL%20socket-proxy.allow.get%3D.*", "", "changes", Shows(r#""socket-proxy.allow.get":".*""#)),
    deny("C06 in quotes", Own, "POST /v1.41/commit?container={victim}&repo={commit}&changes=label%20%22socket-%22%22proxy.allow.get%22%3D.*", "", "changes", Shows(r#""socket-proxy.allow.get":".*""#)),
    deny("C06 through a variable", Own, "POST /v1.41/commit?container={victim}&repo={commit}&changes=ENV%20P%3Dsockwarden&changes=LABEL%20%24P.allow.get%3D.*", "", "changes", Shows(r#""sockwarden.allow.get":".*""#)),
    deny("C06 in the body", Own, "POST /v1.41/commit?container={victim}&repo={commit}", r#"{"Labels":{"sockwarden.allow.get":".*"}}"#, "sockwarden.allow.get", Shows(r#""sockwarden.allow.get":".*""#)),
    allow("an ordinary commit", Own, "POST /v1.41/commit?container={victim}&repo={commit}&changes=CMD%20true", "null", Does),
    deny("import with a label", Own, "POST /v1.41/images/create?fromSrc=-&repo={commit}&changes=LABEL%20sockwarden.allow.get%3D.*", "", "changes", NotTried),
    deny("label of a service", Own, SERVICE, r#"{"Name":"{name}","TaskTemplate":{"ContainerSpec":{"Image":"{image}","Labels":{"sockwarden.allow.get":".*"}}}}"#, "sockwarden.allow.get", NotTried),
    deny("exec in the proxy", Own, "POST /v1.41/containers/{proxy}/exec", r#"{"Cmd":["true"]}"#, "proxy's own container", Shows(r#""ContainerID":"{proxyid}""#)),
    deny("by its id", Own, "POST /v1.41/containers/{proxyid}/exec", r#"{"Cmd":["true"]}"#, "proxy's own container", Shows(r#""ContainerID":"{proxyid}""#)),
    deny("by a part of its id", Own, "POST /v1.41/containers/{proxyid5}/exec", r#"{"Cmd":["true"]}"#, "proxy's own container", Shows(r#""ContainerID":"{proxyid}""#)),
    deny("stop", Own, "POST /v1.41/containers/{proxyid12}/stop?t=0", "", "proxy's own container", Shows(r#""Running":false"#)),
    deny("kill", Own, "POST /v1.41/containers/{proxy}/kill", "", "proxy's own container", Shows(r#""Running":false"#)),
    deny("restart", Own, "POST /v1.41/containers/{proxy}/restart?t=0", "", "proxy's own container", Does),
    deny("pause", Own, "POST /v1.41/containers/{proxy}/pause", "", "proxy's own container", Shows(r#""Paused":true"#)),
    deny("rename", Own, "POST /v1.41/containers/{proxy}/rename?name={name}", "", "proxy's own container", Shows(r#""Name":"/{name}""#)),
    deny("update", Own, "POST /v1.41/containers/{proxy}/update", r#"{"RestartPolicy":{"Name":"no"}}"#, "proxy's own container", Does),
    deny("attach", Own, "POST /v1.41/containers/{proxy}/attach", "", "proxy's own container", NotTried),
    deny("archive", Own, "GET /v1.41/containers/{proxy}/archive?path=%2Fetc", "", "proxy's own container", Does),
    deny("archive write", Own, "PUT /v1.41/containers/{proxy}/archive?path=%2Ftmp", "", "proxy's own container", NotTried),
    deny("export", Own, "GET /v1.41/containers/{proxy}/export", "", "proxy's own container", Does),
    deny("a look at its files", Own, "HEAD /v1.41/containers/{proxy}/archive?path=%2Fetc", "", "", Does),
    deny("resize", Own, "POST /v1.41/containers/{proxy}/resize?h=1&w=1", "", "proxy's own container", NotTried),
    deny("checkpoint", Own, "POST /v1.41/containers/{proxy}/checkpoints", r#"{"CheckpointID":"x"}"#, "proxy's own container", NotTried),
    deny("starting an exec in it", Own, "POST /v1.41/exec/{proxy-exec}/start", r#"{"Detach":true}"#, "proxy's own container", Does),
    deny("renaming another to its name", Own, "POST /v1.41/containers/{victim}/rename?name={proxy}", "", "takes the name", OtherEngines),
    deny("remove", Own, "DELETE /v1.41/containers/{proxy}?force=1", "", "proxy's own container", Does),
    deny("commit", Own, "POST /v1.41/commit?container={proxy}&repo={commit}", "null", "proxy's own container", UpTo(44, &Shows(r#""Container":"{proxyid}""#), &Does)),
    create("B19 its volumes", Own, r#"{"Image":"{image}","HostConfig":{"VolumesFrom":["{proxy}"]}}"#, "proxy's own container", Shows("VolumesFrom\":[\"")),
    create("its volumes, by a part of its id", Own, r#"{"Image":"{image}","VolumesFrom":["{proxyid5}:rw"]}"#, "proxy's own container", UpTo(45, &Shows("docker.sock"), &Ignores(r#""VolumesFrom":[""#))),
    create("its processes", Own, r#"{"Image":"{image}","HostConfig":{"PidMode":"container:{proxy}"}}"#, "proxy's own container", Shows("container:")),
    create("its network namespace", Own, r#"{"Image":"{image}","HostConfig":{"NetworkMode":"container:{proxyid}"}}"#, "proxy's own container", Shows("container:")),
    create("its memory", Own, r#"{"Image":"{image}","HostConfig":{"IpcMode":"container:{proxyid12}"}}"#, "proxy's own container", Shows("container:")),
    create("links to it", Own, r#"{"Image":"{image}","HostConfig":{"Links":["{proxy}:p"]}}"#, "proxy's own container", Shows("/p\"")),
    create("namespaces at the top level", Own, r#"{"Image":"{image}","PidMode":"container:{proxyid5}"}"#, "proxy's own container", UpTo(45, &Shows("container:"), &Ignores("container:"))),
    allow("looking at the proxy", Own, "GET /v1.41/containers/{proxy}/json", "", Does),
    allow("stopping another", Own, "POST /v1.41/containers/{other-container}/stop?t=0", "", Does),
    create("the network namespace of another", Own, r#"{"Image":"{image}","HostConfig":{"NetworkMode":"container:{victim}"}}"#, "whose address is its identity", Shows("container:")),
    create("B22 a fixed address", Own, r#"{"Image":"{image}","HostConfig":{"NetworkMode":"none"},"NetworkingConfig":{"EndpointsConfig":{"{net}":{"IPAMConfig":{"IPv4Address":"{address}"}}}}}"#, "fixes an address", Shows(r#""IPv4Address":"{address}""#)),
    create("B22 by a part of the network's id", Own, r#"{"Image":"{image}","HostConfig":{"NetworkMode":"{net4}"},"NetworkingConfig":{"EndpointsConfig":{"{net4}":{"ipamconfig":{"ipv4addreſs":"{address}"}}}}}"#, "fixes an address", Shows(r#""IPv4Address":"{address}""#)),
    create("a fixed hardware address", Own, r#"{"Image":"{image}","MacAddress":"02:42:ac:11:00:02","HostConfig":{"NetworkMode":"{net}"}}"#, "fixes an address", Shows("02:42:ac:11:00:02")),
    passes("the proxy's network as it comes", Own, r#"{"Image":"{image}","HostConfig":{"NetworkMode":"{net}"},"NetworkingConfig":{"EndpointsConfig":{"{net}":{"IPAMConfig":{},"Aliases":["web"]}}}}"#),
    passes("a fixed address elsewhere", Own, r#"{"Image":"{image}","HostConfig":{"NetworkMode":"{other}"},"NetworkingConfig":{"EndpointsConfig":{"{other}":{"IPAMConfig":{"IPv4Address":"{otheraddress}"}}}}}"#),
    create("the proxy's name as an alias", Own, r#"{"Image":"{image}","HostConfig":{"NetworkMode":"{net}"},"NetworkingConfig":{"EndpointsConfig":{"{net}":{"Aliases":["{proxy}"]}}}}"#, "takes the name", Shows(r#""Aliases":["{proxy}""#)),
    deny("connecting another", Own, "POST /v1.41/networks/{net}/connect", r#"{"Container":"{other-container}","EndpointConfig":{}}"#, "network of the proxy's clients", Shows(r#""{net}":{"#)),
    deny("connecting another by the network's id", Own, "POST /v1.41/networks/{netid}/connect", r#"{"Container":"{other-container}"}"#, "network of the proxy's clients", Shows(r#""{net}":{"#)),
    deny("disconnecting another", Own, "POST /v1.41/networks/{net4}/disconnect", r#"{"Container":"{victim}","Force":true}"#, "network of the proxy's clients", Shows(r#""Networks":{}"#)),
    deny("disconnecting the proxy", Own, "POST /v1.41/networks/{other}/disconnect", r#"{"Container":"{proxyid5}"}"#, "proxy's own container", NotTried),
    deny("connecting the proxy", Own, "POST /v1.41/networks/{other}/connect", r#"{"container":"{proxy}"}"#, "proxy's own container", Shows(r#""{other}":{"#)),
    allow("connecting elsewhere", Own, "POST /v1.41/networks/{other}/connect", r#"{"Container":"{victim}"}"#, Does),
    passes("builds and creates", Builder, r#"{"Image":"{image}"}"#),
    allow("builds and restarts", Builder, "POST /v1.41/containers/{other-container}/restart?t=0", "", Does),
    allow("builds and stops", Builder, "POST /v1.41/containers/{other-container}/stop?t=0", "", Does),
    allow("builds and commits", Builder, "POST /v1.41/commit?container={victim}&repo={commit}", "null", Does),
    allow("a build on the default bridge", Builder, BUILD, "", Does),
    allow("a build without a network", Builder, "POST /v1.41/build?networkmode=none", "", Does),
    deny("a build in the host's network is the host", Builder, "POST /v1.41/build?networkmode=host", "", "counts as the host", Shows("docker0")),
    deny("by a part of its id as well", Builder, "POST /v1.41/build?networkmode={hostnet3}", "", "counts as the host", UpTo(47, &Does, &OtherEngines)),
    case("a container that is not there", Own, "POST /v1.41/containers/{name}/stop", "", Want::Refused(404, "No such container"), OtherEngines),
];
