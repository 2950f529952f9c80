use super::*;

fn words(text: &str) -> Words {
    Words::read(text, &Origin::Label("sockwarden.allow".to_owned())).unwrap()
}

fn given(text: &str) -> Vec<&'static str> {
    let words = words(text);
    Operation::all().filter(|it| words.gives(*it)).map(Operation::id).collect()
}

#[test]
fn a_word_gives_what_it_says() {
    assert_eq!(given("ContainerRestart"), ["ContainerRestart"]);
    assert_eq!(given("containerrestart"), ["ContainerRestart"]);
    assert_eq!(given("restart, STOP"), ["ContainerStop", "ContainerRestart"]);
    assert_eq!(given("stats"), ["ContainerTop", "ContainerStats"]);
    assert_eq!(given("pull"), ["ImageCreate"]);
    assert_eq!(given("env, grant-rights"), [""; 0]);
    assert!(words("grant-rights").may_label() && !words("read").may_label());
    assert!(words("env").env()[0].is_anything());
}

#[test]
fn two_labels_add_up() {
    let mut both = words("logs(name=web), env");
    both.extend(words("read"));
    assert_eq!(both.to_string(), "logs(name=web), env, read");
    assert!(both.gives_freely(Operation::ContainerList));
    assert!(both.gives(Operation::ContainerLogs));
}

#[test]
fn half_an_operation_is_a_part() {
    use crate::request::{Method, RequestTarget};
    let head = |target: &str| Head::new(Method::Post, RequestTarget::parse(target).unwrap(), []);
    let pull = head("/images/create?fromImage=alpine&tag=3");
    let import = head("/images/create?fromSrc=-");
    let both = head("/images/create?fromSrc=-&fromImage=alpine");
    let neither = head("/images/create");
    assert!(words("pull").find(&pull).is_some() && words("pull").find(&import).is_none());
    assert!(words("write-images").find(&pull).is_none());
    assert!(words("write-images").find(&import).is_some());
    for odd in [both, neither] {
        assert!(words("pull, write-images").find(&odd).is_none());
        assert!(words("ImageCreate").find(&odd).is_some());
    }
}

#[track_caller]
fn mistake(text: &str, want: &str) {
    let origin = Origin::Label("sockwarden.allow".to_owned());
    let found: Vec<String> =
        Words::read(text, &origin).unwrap_err().iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|it| it.contains(want)), "{text}: {found:?}");
    assert!(found.iter().all(|it| !it.contains('\n')), "{found:?}");
}

#[test]
fn every_mistake_says_what_would_be_right() {
    mistake("True", "not a truth value");
    mistake("*", "none for everything");
    mistake("ping", "every client may ping");
    mistake("raed", "did you mean `read`?");
    mistake("ps", "did you mean `ContainerList`?");
    mistake("scope", "not in this version");
    mistake("learn(logs)", "not in this version");
    mistake("my/word", "not in this version");
    mistake("read@2", "only presets have revisions");
    mistake("read(name=x)", "`name`");
    mistake("create(name=x)", "NetworkCreate has no `name`");
    mistake("ContainerLogs(nmae=x)", "there are `name`, `label:KEY=VALUE`");
    mistake("ContainerLogs(name=)", "no value");
    mistake("ContainerLogs(label:x=)", "no value");
    mistake("ContainerLogs(name=a b)", "in double quotes");
    mistake("ContainerLogs(label=x)", "`label:KEY=VALUE`");
    mistake("ContainerLogs(project:self)", "not in this version");
    mistake("ContainerLogs(created:self)", "not in this version");
    mistake("ContainerKill(signal=NOPE)", "is not a signal");
    mistake("ContainerCreate(image=a:)", "is not an image");
    mistake("grant-rights(x)", "nothing in parentheses");
    mistake("env(value=x)", "there are `name`");
    mistake("SystemPing", "is not a word");
    mistake("Unknown", "is not a word");
}

#[test]
fn conditions_are_those_of_all_its_operations() {
    for fine in [
        "lifecycle(label:autoheal=true)",
        "exec(name=db, cmd=pg_dump *, user=postgres)",
        "ContainerKill(signal=HUP, signal=2)",
        "ContainerCreate(image=alpine, name=ci-*)",
        "ContainerRename(name=a, to=b)",
        "pull(image=docker.io/library/*)",
        "ContainerLogs(not label:secret, project:web, service:web/db)",
        "VolumeDelete(name=ci-*)",
        "attach(label:a)",
    ] {
        words(fine);
    }
}

#[test]
fn every_operation_is_reached_by_words_alone() {
    for operation in Operation::all().filter(|it| !it.is_ping()) {
        assert!(words(operation.id()).gives(operation));
        for (_, bundle) in homes_of(operation) {
            if let Some(bundle) = bundle {
                assert!(words(bundle.name()).gives(operation), "{operation}");
            }
        }
    }
}

#[test]
fn every_preset_is_made_of_words() {
    for preset in PRESETS.iter() {
        let words = words(&preset.name);
        assert!(words.to_string() == *preset.name, "{}", preset.name);
        for read in preset.allow.iter().filter(|_| preset.evidence == Evidence::Read) {
            let word = read.split(['(', '@']).next().unwrap_or_default();
            assert!(
                !matches!(word, "read-files" | "write-files" | "secrets"),
                "{}: {read} is nothing to give away unproven",
                preset.name
            );
        }
    }
}

proptest::proptest! {
    /// Whatever is written is read or is a mistake, in one line that can be printed; and what is read says what it gives.
    #[test]
    fn any_text_is_answered(text in r#"([a-z-]{1,9}|[(),=:@"\\*?! \n]|read|logs|exec\(name=|label:|not |cmd=|\PC){0,12}"#) {
        let origin = Origin::Label("sockwarden.allow".to_owned());
        match Words::read(&text, &origin) {
            Ok(words) => proptest::prop_assert!(!words.is_empty(), "{text:?}"),
            Err(mistakes) => for mistake in mistakes {
                let told = mistake.to_string();
                proptest::prop_assert!(told.chars().all(crate::text::is_printable), "{told:?}");
            },
        }
        let _ = (images(&text), host_access(&text));
    }

    #[test]
    fn a_glob_matches_what_it_says(text in "[ab]{0,8}", pattern in "[ab*?]{0,8}") {
        let mut glob = Glob::default();
        pattern.chars().for_each(|c| glob.push(c));
        let regex = format!("^{}$", pattern.replace('*', ".*").replace('?', "."));
        let regex = regex::Regex::new(&regex).unwrap();
        proptest::prop_assert_eq!(glob.is_match(&text), regex.is_match(&text));
    }
}
