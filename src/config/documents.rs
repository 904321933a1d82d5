//! Documents that follow from the list of settings. The tests compare them with the list;
//! `TESTFLINGER_WRITE=1 cargo test --lib config` writes them.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::settings::all;
use super::{Env, Raw, Settings};

const BEGIN: &str = "<!-- settings -->\n";
const END: &str = "<!-- end of settings -->\n";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[track_caller]
fn compare(name: &str, wanted: &str) {
    let path = path(name);
    if std::env::var_os("TESTFLINGER_WRITE").is_some() {
        std::fs::write(&path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, wanted, "write it anew: TESTFLINGER_WRITE=1 cargo test --lib config");
}

/// `README.md` with its table of settings.
fn readme(text: &str) -> String {
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let mut table = "\n| Setting | Default | Meaning |\n|---|---|---|\n".to_owned();
    for setting in all() {
        let default =
            if setting.in_words { setting.default.to_owned() } else { code(&setting.bounds) };
        writeln!(table, "| `{}` | {default} | {} |", setting.name, setting.help).unwrap();
    }
    format!("{before}{BEGIN}{table}\n{END}{after}")
}

/// Marks the value in `20s, at most 25s`.
fn code(bounds: &str) -> String {
    match bounds.split_once(',') {
        None if bounds == "none" => bounds.to_owned(),
        None => format!("`{bounds}`"),
        Some((default, limits)) => format!("`{default}`,{limits}"),
    }
}

/// `packaging/config.toml`: every setting as a comment that says its default.
fn example() -> String {
    let mut text = "# Settings of testflinger-server: an example of /etc/testflinger-server/config.toml.\n\
        # Each setting is a comment that states its default. To change a setting, remove the # in front of\n\
        # it. A word in capitals stands for a value.\n"
        .to_owned();
    let mut about = "";
    for setting in all() {
        if setting.about != about {
            about = setting.about;
            write!(text, "\n\n# {}\n", about.to_uppercase()).unwrap();
        }
        text.push('\n');
        let words = format!("{}.", setting.help);
        let default = if setting.in_words || setting.bounds != setting.default {
            format!(" Default: {}.", setting.bounds)
        } else {
            String::new()
        };
        text.push_str(&comment(&format!("{words}{default}")));
        let value = if setting.in_words { setting.value } else { setting.default };
        writeln!(text, "#{} = {value:?}", setting.name).unwrap();
    }
    text
}

/// A comment of at most 100 columns.
fn comment(words: &str) -> String {
    let mut text = "#".to_owned();
    let mut width = 1;
    for word in words.split(' ') {
        if width + 1 + word.len() > 100 {
            text.push_str("\n#");
            width = 1;
        }
        text.push(' ');
        text.push_str(word);
        width += 1 + word.len();
    }
    text.push('\n');
    text
}

#[test]
fn the_readme_lists_every_setting_as_it_is() {
    let text = std::fs::read_to_string(path("README.md")).unwrap();
    compare("README.md", &readme(&text));
}

#[test]
fn the_example_of_a_configuration_file_lists_every_setting_as_it_is() {
    compare("packaging/config.toml", &example());
}

#[test]
fn the_example_with_every_default_written_out_changes_nothing() {
    let env = Env::from([("HOME".to_owned(), "/h".to_owned())]);
    let is_default = |line: &&str| {
        let known = |setting: &super::settings::Setting| {
            !setting.in_words && line.starts_with(&format!("{} = ", setting.name))
        };
        all().iter().any(known)
    };
    let text = example();
    let lines: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix('#')).filter(is_default).collect();
    assert_eq!(lines.len(), all().iter().filter(|setting| !setting.in_words).count());
    let written: Raw = toml::from_str(&lines.join("\n")).unwrap();
    let (written, default) = (written.settle(&env).unwrap(), Raw::default().settle(&env).unwrap());
    let debug = |settings: &Settings| format!("{settings:#?}");
    assert_eq!(debug(&written), debug(&default));
}
