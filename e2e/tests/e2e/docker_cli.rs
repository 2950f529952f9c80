//! The docker CLI, old and new: everything it does must look through sockwarden exactly as it looks directly.

use std::fs;
use std::process::Command;

use sockwarden_e2e::cli::{self, Cli, Docker, scenario};
use sockwarden_e2e::process::Process;
use sockwarden_e2e::{set_aside, wait};

const MEBIBYTE: usize = 1024 * 1024;

/// One test per scenario and CLI.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        mod cli_20 { $( #[test] fn $name() { super::scenario(super::Cli::V20, super::$name); } )* }
        mod cli_28 { $( #[test] fn $name() { super::scenario(super::Cli::V28, super::$name); } )* }
    };
}

scenarios! {
    attach_reads_and_writes,
    classic_build,
    copies_both_ways,
    events_arrive_live,
    exec_with_and_without_input,
    execs_in_a_terminal,
    exit_codes,
    images_and_commits,
    lifecycle,
    lists_and_details,
    logs,
    logs_follow_to_the_end,
    networks,
    piped_input_reaches_the_container,
    save_and_load,
    stats_without_stream,
    versions,
    volumes,
    waits,
}

#[test]
fn buildkit_build() {
    scenario(Cli::V20, buildkit);
}

#[test]
fn buildx_build() {
    if !cli::has_plugin("docker-buildx") {
        return set_aside(
            "DOCKER_CLI_PLUGINS does not name a directory with buildx; `e2e/matrix` does",
        );
    }
    scenario(Cli::V28, buildkit);
}

fn versions(docker: &Docker) {
    docker.ok(&["version", "--format", "{{.Client.APIVersion}} {{.Server.Version}} {{.Server.APIVersion}} {{.Server.MinAPIVersion}}"]);
    docker.ok(&["info", "--format", "{{.ServerVersion}} {{.OSType}} {{.Driver}} {{.Warnings}}"]);
    docker.ok(&["version"]);
}

fn exit_codes(docker: &Docker) {
    let image = docker.image();
    assert_eq!(docker.ok(&["run", "--rm", image, "echo", "hello"]), "hello");
    let failed = docker.run(&["run", "--rm", image, "sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!((failed.code, failed.text(), failed.errors()), (7, "out".into(), "err".into()));
    // When a start fails, the CLI says at times that its waiting was cancelled, and at times does not.
    let fails =
        |program: &str| docker.run_without_transcript(&["run", "--rm", image, program]).code;
    assert_eq!((fails("no-such-program"), fails("/etc")), (127, 126));
    let missing = format!("{}:missing", docker.name("image"));
    assert_eq!(docker.run(&["run", "--rm", "--pull=never", &missing]).code, 125);
    assert_eq!(docker.run(&["start", &docker.name("missing")]).code, 1);
}

fn piped_input_reaches_the_container(docker: &Docker) {
    let image = docker.image();
    let input = noise(MEBIBYTE);
    let echoed = docker.fed(&["run", "-i", "--rm", image, "cat"], &input);
    assert_eq!(echoed.code, 0);
    assert!(echoed.stdout == input, "{} bytes came back", echoed.stdout.len());
    let counted = docker.fed(&["run", "-i", "--rm", image, "wc", "-c"], &input);
    assert_eq!(counted.text(), MEBIBYTE.to_string());
    // The end of the input is not the end of the output.
    let script = "cat >/dev/null; sleep 0.3; echo late; echo err >&2; exit 3";
    let late = docker.fed(&["run", "-i", "--rm", image, "sh", "-c", script], b"x");
    assert_eq!((late.code, late.text(), late.errors()), (3, "late".into(), "err".into()));
    let empty = docker.fed(&["run", "-i", "--rm", image, "wc", "-c"], b"");
    assert_eq!(empty.text(), "0");
}

fn exec_with_and_without_input(docker: &Docker) {
    let name = sleeper(docker, "exec");
    assert_eq!(docker.ok(&["exec", &name, "echo", "hello"]), "hello");
    let failed = docker.run(&["exec", &name, "sh", "-c", "echo out; echo err >&2; exit 9"]);
    assert_eq!((failed.code, failed.text(), failed.errors()), (9, "out".into(), "err".into()));
    assert_eq!(
        docker.ok(&["exec", "-e", "WORD=x", "-w", "/tmp", &name, "sh", "-c", "echo $WORD $PWD"]),
        "x /tmp"
    );
    let input = noise(MEBIBYTE);
    let echoed = docker.fed(&["exec", "-i", &name, "cat"], &input);
    assert!(echoed.stdout == input, "{} bytes came back", echoed.stdout.len());
    // Without -i the command's input is empty at once, whatever we have.
    assert_eq!(docker.fed(&["exec", &name, "wc", "-c"], b"ignored").text(), "0");
    assert_eq!(docker.fed(&["exec", "-i", &name, "sh", "-c", "cat; exit 4"], b"x").code, 4);
    docker.ok(&["exec", "-d", &name, "touch", "/tmp/done"]);
    wait::until("the detached command", || {
        let ls = Process::run(docker.command(&["exec", &name, "ls", "/tmp/done"]));
        (ls.code == 0).then_some(())
    });
    assert_eq!(docker.run(&["exec", &name, "no-such-program"]).code, missing_program(docker));
    assert_eq!(docker.run(&["exec", &docker.name("missing"), "true"]).code, 1);
}

/// 126 from older clients, 127 from newer: the same on every target is what counts.
fn missing_program(docker: &Docker) -> i32 {
    Process::run(docker.command(&["exec", &docker.name("exec"), "no-such-program"])).code
}

fn execs_in_a_terminal(docker: &Docker) {
    let name = sleeper(docker, "exec-tty");
    let script = "tty; read line; echo got $line; exit 6";
    let mut terminal = in_a_terminal(docker, &["exec", "-it", &name, "sh", "-c", script]);
    terminal.expect_output("/dev/pts/0");
    terminal.feed(b"hello\n");
    let output = terminal.finish();
    assert!(output.text().contains("got hello"), "{}", output.text());
    assert_eq!(output.code, 6);
    docker.note(&output.text());
}

fn attach_reads_and_writes(docker: &Docker) {
    let name = docker.name("attach");
    let script = "echo ready; read line; echo got $line; echo err >&2; exit 8";
    docker.ok(&["create", "-i", "--name", &name, docker.image(), "sh", "-c", script]);
    docker.ok(&["start", &name]);
    let mut attached = docker.start(&["attach", &name]);
    attached.feed(b"hello\n");
    let output = attached.finish();
    // What it wrote before we attached may be there or not.
    assert!(output.text().ends_with("got hello"), "{}", output.text());
    assert_eq!((output.code, output.errors()), (8, "err".to_owned()));

    let name = docker.name("start-attached");
    docker.ok(&["create", "-i", "--name", &name, docker.image(), "sh", "-c", "wc -c; exit 3"]);
    let counted = docker.fed(&["start", "-ai", &name], &noise(MEBIBYTE));
    assert_eq!((counted.code, counted.text()), (3, MEBIBYTE.to_string()));
}

fn logs(docker: &Docker) {
    let name = docker.name("logs");
    let script = "for i in $(seq 1 5); do echo line $i; done; echo err >&2";
    docker.ok(&["run", "--name", &name, docker.image(), "sh", "-c", script]);
    let all = docker.run(&["logs", &name]);
    assert_eq!((all.text().lines().count(), all.errors()), (5, "err".to_owned()));
    // The engine takes the two streams from two pipes, so the last lines are one of either.
    assert_eq!(docker.run_without_transcript(&["logs", "--tail", "6", "-t", &name]).code, 0);
    assert_eq!(docker.run(&["logs", &docker.name("missing")]).code, 1);
    // More than any buffer on the way.
    let name = docker.name("logs-much");
    let script = "dd if=/dev/zero bs=1024 count=1024 2>/dev/null | busybox tr '\\0' 'x' | busybox fold -w 1023";
    let printed = docker.run(&["run", "--name", &name, docker.image(), "sh", "-c", script]);
    assert!(printed.stdout.len() > MEBIBYTE, "{}", printed.stdout.len());
    assert!(docker.run(&["logs", &name]).stdout == printed.stdout);
}

fn logs_follow_to_the_end(docker: &Docker) {
    let name = docker.name("follow");
    let script = "mkfifo /tmp/go; echo ready; cat /tmp/go; echo done";
    docker.ok(&["run", "-d", "--init", "--name", &name, docker.image(), "sh", "-c", script]);
    let following = docker.start(&["logs", "-f", &name]);
    following.expect_output("ready");
    docker.ok(&["exec", &name, "sh", "-c", "echo go >/tmp/go"]);
    let output = docker.note_output(&["logs", "-f"], following.finish());
    assert_eq!((output.code, output.text()), (0, "ready\ngo\ndone".to_owned()));
}

fn events_arrive_live(docker: &Docker) {
    let name = docker.name("events");
    let now = format!("{}", unix_seconds());
    let filter = format!("container={name}");
    let mut events =
        docker.start(&["events", "--since", &now, "--filter", &filter, "--format", "{{.Action}}"]);
    docker.ok(&["create", "--name", &name, docker.image(), "true"]);
    events.expect_output("create");
    // The subscription exists by now, so these come live.
    docker.ok(&["start", &name]);
    events.expect_output("die");
    docker.ok(&["rm", &name]);
    events.expect_output("destroy");
    docker.note(&String::from_utf8_lossy(&events.output_so_far()));
    // Not SIGINT, which a suite that was started in the background inherits as ignored.
    events.signal(rustix::process::Signal::TERM);
    docker.note(&format!("interrupted: {:?}", wait::until("its end", || events.ended())));
    // A window in the past is a stream that ends by itself.
    let until = format!("{}", unix_seconds() + 1);
    let past = docker.run_without_transcript(&[
        "events",
        "--since",
        &now,
        "--until",
        &until,
        "--filter",
        &filter,
        "--format",
        "{{.Action}}",
    ]);
    assert_eq!((past.code, past.text()), (0, "create\nstart\ndie\ndestroy".to_owned()));
}

fn copies_both_ways(docker: &Docker) {
    let name = docker.name("copy");
    let content = noise(MEBIBYTE);
    let local = docker.directory().join("local");
    fs::write(&local, &content).unwrap();
    docker.ok(&["create", "--name", &name, docker.image(), "sleep", "60"]);
    let path = local.to_str().unwrap();
    docker.ok(&["cp", path, &format!("{name}:/tmp/copied")]);
    let back = docker.directory().join("back");
    docker.ok(&["cp", &format!("{name}:/tmp/copied"), back.to_str().unwrap()]);
    assert!(fs::read(&back).unwrap() == content);
    // A directory, and a tar stream on standard input and output.
    let tree = docker.directory().join("tree");
    fs::create_dir_all(tree.join("sub")).unwrap();
    fs::write(tree.join("sub/file with space"), "text").unwrap();
    docker.ok(&["cp", tree.to_str().unwrap(), &format!("{name}:/tmp/")]);
    let streamed = docker.run(&["cp", &format!("{name}:/tmp/copied"), "-"]);
    assert!(streamed.stdout.windows(4096).next().is_some());
    let put = docker.fed(&["cp", "-", &format!("{name}:/etc")], &streamed.stdout);
    assert_eq!(put.code, 0, "{}", put.errors());
    docker.ok(&["cp", &format!("{name}:/etc/copied"), back.to_str().unwrap()]);
    assert!(fs::read(&back).unwrap() == content);
    assert_eq!(docker.run(&["cp", &format!("{name}:/missing"), path]).code, 1);
}

fn classic_build(docker: &Docker) {
    let context = build_context(docker);
    let tag = docker.names().image("classic");
    let built = docker.run_without_transcript(&[
        "build",
        "--rm",
        "--force-rm",
        "--no-cache",
        "--network=none",
        "--build-arg",
        "WORD=ärger & co",
        "-t",
        &tag,
        &context,
    ]);
    assert_eq!(built.code, 0, "{}", built.errors());
    assert_eq!(docker.ok(&["run", "--rm", &tag]), "ärger & co\ncontent");
    // A failing step, and a Dockerfile on standard input.
    let dockerfile = format!("FROM {}\nLABEL {}\nRUN exit 17\n", docker.image(), run_label(docker));
    let failed = docker.fed_without_transcript(
        &["build", "--rm", "--force-rm", "--network=none", "-"],
        dockerfile.as_bytes(),
    );
    assert_eq!(failed.code, 17, "{}", failed.errors());
    // From nothing, with a megabyte in it.
    fs::write(docker.directory().join("context/noise"), noise(MEBIBYTE)).unwrap();
    fs::write(
        docker.directory().join("context/Dockerfile"),
        format!("FROM scratch\nLABEL {}\nCOPY noise /\n", run_label(docker)),
    )
    .unwrap();
    let tag = docker.names().image("scratch");
    let built =
        docker.run_without_transcript(&["build", "--rm", "--force-rm", "-q", "-t", &tag, &context]);
    assert_eq!(built.code, 0, "{}", built.errors());
    docker.ok(&["inspect", "-f", "{{.Size}}", &tag]);
}

fn buildkit(docker: &Docker) {
    let context = build_context(docker);
    let tag = docker.names().image("buildkit");
    let secret = docker.directory().join("secret");
    fs::write(&secret, "open sesame").unwrap();
    let dockerfile = docker.directory().join("context/Dockerfile");
    let text = fs::read_to_string(&dockerfile).unwrap();
    let mount = "RUN --mount=type=secret,id=word cat /run/secrets/word >/secret && cat /secret\n";
    fs::write(&dockerfile, text.replace("CMD", &format!("{mount}CMD"))).unwrap();
    let secret = format!("id=word,src={}", secret.display());
    let mut command = docker.command(&[
        "build",
        "--progress=plain",
        "--no-cache",
        "--network=none",
        "--secret",
        &secret,
        "--build-arg",
        "WORD=word",
        "-t",
        &tag,
        &context,
    ]);
    command.env("DOCKER_BUILDKIT", "1");
    let built = Process::run(command);
    assert_eq!(built.code, 0, "{}", built.errors());
    assert_eq!(docker.ok(&["run", "--rm", &tag]), "word\ncontent");
    assert_eq!(docker.ok(&["run", "--rm", &tag, "cat", "/secret"]), "open sesame");
}

fn save_and_load(docker: &Docker) {
    let tag = docker.names().image("saved");
    docker.ok(&["tag", docker.image(), &tag]);
    let file = docker.directory().join("image.tar");
    docker.ok(&["save", "-o", file.to_str().unwrap(), &tag]);
    let id = docker.ok(&["inspect", "-f", "{{.Id}}", &tag]);
    docker.run(&["rmi", &tag]);
    docker.ok(&["load", "-i", file.to_str().unwrap()]);
    assert_eq!(docker.ok(&["inspect", "-f", "{{.Id}}", &tag]), id);
    // Through pipes.
    let saved = docker.run(&["save", &tag]);
    assert!(saved.stdout.len() > MEBIBYTE);
    let loaded = docker.fed(&["load"], &saved.stdout);
    assert_eq!(loaded.code, 0, "{}", loaded.errors());
    assert_eq!(docker.ok(&["run", "--rm", &tag, "echo", "loaded"]), "loaded");
}

fn images_and_commits(docker: &Docker) {
    let name = docker.name("commit");
    docker.ok(&["run", "--name", &name, docker.image(), "sh", "-c", "echo kept >/kept"]);
    // Podman's has no order.
    let changes = docker.run_without_transcript(&["diff", &name]).text();
    assert!(changes.lines().any(|it| it == "A /kept"), "{changes}");
    let tag = docker.names().image("committed");
    docker.ok(&["commit", "-m", "a message", &name, &tag]);
    assert_eq!(docker.ok(&["run", "--rm", &tag, "cat", "/kept"]), "kept");
    let exported = docker.run(&["export", &name]);
    assert!(exported.stdout.len() > MEBIBYTE);
    let tag = docker.names().image("imported");
    let imported = docker.fed(&["import", "-", &tag], &exported.stdout);
    assert_eq!(imported.code, 0, "{}", imported.errors());
    assert_eq!(docker.ok(&["run", "--rm", &tag, "/bin/cat", "/kept"]), "kept");
    // One by one: the engine sorts them by the second they were made in.
    for word in ["committed", "imported"] {
        let name = format!("{}:{word}", docker.names().prefix());
        docker.ok(&["images", "--format", "{{.Repository}}:{{.Tag}}", &name]);
    }
    docker.ok(&["rmi", &tag]);
    assert_eq!(docker.run(&["rmi", &tag]).code, 1);
}

fn stats_without_stream(docker: &Docker) {
    let name = sleeper(docker, "stats");
    assert_eq!(
        docker.ok(&["stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", &name]),
        format!("{name} 2")
    );
}

fn waits(docker: &Docker) {
    let name = docker.name("wait");
    let script = "mkfifo /tmp/go; cat /tmp/go; exit 11";
    docker.ok(&["run", "-d", "--init", "--name", &name, docker.image(), "sh", "-c", script]);
    let waiting = docker.start(&["wait", &name]);
    wait::until("the fifo", || {
        (docker.run_without_transcript(&["exec", &name, "ls", "/tmp/go"]).code == 0).then_some(())
    });
    docker.ok(&["exec", &name, "sh", "-c", "echo go >/tmp/go"]);
    assert_eq!(docker.note_output(&["wait"], waiting.finish()).text(), "11");
    // Already over.
    assert_eq!(docker.ok(&["wait", &name]), "11");
}

fn lifecycle(docker: &Docker) {
    let name = sleeper(docker, "life");
    let state = |want: &str| {
        assert_eq!(
            docker.ok(&[
                "inspect",
                "-f",
                "{{.State.Status}} {{.State.ExitCode}}",
                &docker.name("life")
            ]),
            want
        )
    };
    state("running 0");
    docker.ok(&["pause", &name]);
    state("paused 0");
    docker.ok(&["unpause", &name]);
    docker.ok(&["stop", "-t", "5", &name]);
    state("exited 143");
    docker.ok(&["start", &name]);
    docker.ok(&["restart", "-t", "5", &name]);
    state("running 0");
    docker.ok(&["kill", "-s", "KILL", &name]);
    docker.ok(&["wait", &name]);
    state("exited 137");
    let renamed = docker.name("renamed");
    docker.ok(&["rename", &name, &renamed]);
    assert_eq!(docker.run(&["kill", &renamed]).code, 1);
    docker.ok(&["update", "--memory=64m", "--memory-swap=64m", &renamed]);
    docker.ok(&["rm", &renamed]);
    assert_eq!(docker.run(&["rm", &renamed]).code, 1);
}

fn lists_and_details(docker: &Docker) {
    let name = sleeper(docker, "list");
    let filter = format!("name={name}");
    assert_eq!(docker.ok(&["ps", "--filter", &filter, "--format", "{{.Names}}"]), name);
    assert_eq!(
        docker.run_without_transcript(&["top", &name, "-o", "pid,comm"]).text().lines().count(),
        3
    );
    docker.ok(&["inspect", "-f", "{{.Name}} {{.Config.Image}} {{.Config.Labels}}", &name]);
    docker.ok(&["port", &name]);
    docker.ok(&["history", "--format", "{{.Size}}", docker.image()]);
    assert_eq!(docker.run(&["inspect", &docker.name("missing")]).code, 1);
    assert_eq!(docker.run_without_transcript(&["system", "df"]).code, 0);
    assert_eq!(docker.run(&["service", "ls"]).code, 1);
}

fn networks(docker: &Docker) {
    let network = docker.name("network");
    docker.ok(&["network", "create", "--internal", &network]);
    let name = sleeper(docker, "member");
    docker.ok(&["network", "connect", "--alias", "other", &network, &name]);
    assert_eq!(docker.run(&["network", "rm", &network]).code, 1);
    docker.ok(&["network", "disconnect", &network, &name]);
    assert_eq!(
        docker.ok(&[
            "network",
            "ls",
            "--filter",
            &format!("name={network}"),
            "--format",
            "{{.Name}} {{.Internal}}"
        ]),
        format!("{network} true")
    );
    docker.ok(&["network", "inspect", "-f", "{{.Name}} {{len .Containers}}", &network]);
    docker.ok(&["network", "rm", &network]);
    assert_eq!(docker.run(&["network", "inspect", &network]).code, 1);
}

fn volumes(docker: &Docker) {
    let volume = docker.name("volume");
    docker.ok(&["volume", "create", &volume]);
    let mount = format!("{volume}:/data");
    docker.ok(&["run", "--rm", "-v", &mount, docker.image(), "sh", "-c", "echo kept >/data/kept"]);
    assert_eq!(
        docker.ok(&["run", "--rm", "-v", &mount, docker.image(), "cat", "/data/kept"]),
        "kept"
    );
    docker.ok(&["volume", "ls", "-q", "--filter", &format!("name={volume}")]);
    docker.ok(&["volume", "inspect", "-f", "{{.Name}} {{.Driver}}", &volume]);
    docker.ok(&["volume", "rm", &volume]);
    assert_eq!(docker.run(&["volume", "rm", &volume]).code, 1);
}

/// A running container that ends at once when it is asked to.
fn sleeper(docker: &Docker, word: &str) -> String {
    let name = docker.name(word);
    docker.ok(&["run", "-d", "--init", "--name", &name, docker.image(), "sleep", "600"]);
    name
}

fn run_label(docker: &Docker) -> String {
    docker.names().labels().map(|(key, value)| format!("{key}={value}")).join(" ")
}

fn build_context(docker: &Docker) -> String {
    let context = docker.directory().join("context");
    fs::create_dir_all(&context).unwrap();
    fs::write(context.join("file"), "content\n").unwrap();
    // The labels come first so that what a failed build leaves has them.
    let dockerfile = format!(
        "FROM {}\nLABEL {}\nARG WORD\nENV WORD=$WORD\nCOPY file /file\nRUN echo \"$WORD\" >/word\nCMD [\"cat\", \"/word\", \"/file\"]\n",
        docker.image(),
        run_label(docker)
    );
    fs::write(context.join("Dockerfile"), dockerfile).unwrap();
    context.to_str().unwrap().to_owned()
}

/// A docker command with a pseudo terminal around it, by script(1).
fn in_a_terminal(docker: &Docker, arguments: &[&str]) -> Process {
    let inner = docker.command(arguments);
    let words: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''")))
        .collect();
    let mut command = Command::new("script");
    docker.environment(&mut command);
    command.args(["-qec", &words.join(" "), "/dev/null"]).env("SHELL", "/bin/sh");
    Process::start(command)
}

/// Bytes without a pattern that a broken copy could hide in; the same every time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

fn unix_seconds() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("it is after 1970").as_secs()
}
