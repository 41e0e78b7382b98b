//! The layout, the crate edges and the sizes that this repository promises its readers.

mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

/// Lines in a file of Rust, and in one function.
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const MACROS_MAX: usize = 5;

/// What may be seen at the top level, beside licence files.
const TOP_LEVEL: [&str; 8] =
    ["Cargo.toml", "Cargo.lock", "crates", "migrations", "deploy", "config", "tests", "README.md"];

/// Which crates of ours each one may use. A new crate is written in here with its edges, or the test says so.
const EDGES: [(&str, &[&str]); 18] = [
    ("domain", &[]),
    ("ledger", &["domain"]),
    ("routing", &["domain"]),
    ("panel-protocol", &["domain"]),
    ("upstream", &["domain"]),
    ("upstream-perfectpanel", &["domain", "upstream"]),
    // It speaks that dialect too.
    ("upstream-streamrise", &["domain", "upstream", "upstream-perfectpanel"]),
    ("upstream-streamskill", &["domain", "upstream"]),
    ("store", &["domain", "ledger"]),
    ("egress", &["domain", "upstream"]),
    ("orders", &["domain", "ledger", "routing", "upstream", "store", "egress"]),
    ("api", &["domain", "panel-protocol", "orders"]),
    ("console", &["domain", "orders", "store"]),
    // An upstream of its own: what it knows of ours would hide our mistakes.
    ("sandbox", &[]),
    (
        "interline",
        &[
            "domain",
            "ledger",
            "routing",
            "panel-protocol",
            "upstream",
            "upstream-perfectpanel",
            "upstream-streamrise",
            "upstream-streamskill",
            "store",
            "egress",
            "orders",
            "api",
            "sandbox",
        ],
    ),
    ("xtask", &[]),
    // It measures the built program from outside.
    ("bench", &[]),
    ("acceptance", &["sandbox"]),
];

/// One door per resource: which crates may use these libraries outside their tests.
const DOORS: [(&str, &[&str]); 10] = [
    // The benchmark commits by itself, to know what the databases can do.
    ("sqlx", &["store", "bench"]),
    ("reqwest", &["egress", "acceptance"]),
    ("hyper", &["egress", "api", "sandbox"]),
    ("hyper-util", &["egress", "api", "sandbox"]),
    ("tokio-tungstenite", &["egress"]),
    ("axum", &["api", "console", "sandbox", "interline", "bench"]),
    ("tokio", &["store", "egress", "orders", "api", "console", "sandbox", "interline", "acceptance", "bench"]),
    // All else makes spans, and does not know who exports them.
    ("opentelemetry", &["interline"]),
    ("clap", &["interline", "xtask", "bench"]),
    ("anyhow", &["interline", "xtask", "acceptance", "bench"]),
];

#[test]
fn files_and_functions_are_short() -> Result<()> {
    let mut long = Vec::new();
    for (path, text) in rust_files()? {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            long.push(format!("{path}: {lines} lines, at most {FILE_LINES_MAX}"));
        }
        for (name, lines) in source::functions(&source::masked(&text)) {
            if lines > FUNCTION_LINES_MAX {
                long.push(format!("{path}: `{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}"));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
    Ok(())
}

#[test]
fn every_module_says_what_it_is() -> Result<()> {
    let files = rust_files()?;
    let silent: Vec<_> = files.iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "these begin without a `//!` line: {silent:#?}");
    let folders: Vec<_> = files.keys().filter(|path| path.ends_with("/mod.rs")).collect();
    assert!(folders.is_empty(), "`x/mod.rs` is written `x.rs`: {folders:#?}");
    Ok(())
}

#[test]
fn nothing_is_left_behind() -> Result<()> {
    // Taken apart, so that this file does not find itself.
    let leftovers = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!"),
        concat!("unimplemented", "!"),
        concat!("dbg", "!("),
        concat!("#[", "ignore"),
        concat!("#[", "allow("),
    ];
    let mut found = Vec::new();
    let mut macros = 0;
    for (path, text) in rust_files()? {
        let lines = text.lines().enumerate();
        let bad = lines.filter(|(_, line)| leftovers.iter().any(|leftover| line.contains(leftover)));
        found.extend(bad.map(|(number, line)| format!("{path}:{}: {}", number + 1, line.trim())));
        macros += source::masked(&text).matches("macro_rules!").count();
    }
    assert!(found.is_empty(), "{found:#?}");
    assert!(macros <= MACROS_MAX, "{macros} macros, at most {MACROS_MAX}");
    Ok(())
}

#[test]
fn crates_use_only_what_they_may() -> Result<()> {
    let (edges, doors) = (BTreeMap::from(EDGES), BTreeMap::from(DOORS));
    let mut wrong = Vec::new();
    for (name, manifest) in manifests()? {
        let Some(allowed) = edges.get(name.as_str()) else {
            wrong.push(format!("{name} is not in the table of crate edges"));
            continue;
        };
        for used in dependencies(&manifest) {
            let ours = used.strip_prefix("interline-");
            if ours.is_some_and(|ours| !allowed.contains(&ours)) {
                wrong.push(format!("{name} may not use {used}"));
            }
            if doors.get(used.as_str()).is_some_and(|users| !users.contains(&name.as_str())) {
                wrong.push(format!("{name} may not use {used}: that door is elsewhere"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[test]
fn every_crate_takes_the_workspace_lints() -> Result<()> {
    let lax = |manifest: &toml::Table| {
        let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        lints.and_then(toml::Value::as_bool) != Some(true)
    };
    let without: Vec<String> =
        manifests()?.into_iter().filter(|(_, manifest)| lax(manifest)).map(|(name, _)| name).collect();
    assert!(without.is_empty(), "without `[lints] workspace = true`: {without:?}");
    Ok(())
}

#[test]
fn the_top_level_holds_what_the_design_names() -> Result<()> {
    let files = files()?;
    let tops: BTreeSet<&str> = files.iter().filter_map(|path| path.split('/').next()).collect();
    let known = |name: &str| name.starts_with('.') || name.starts_with("LICENSE") || TOP_LEVEL.contains(&name);
    let strange: Vec<_> = tops.iter().filter(|name| !known(name)).collect();
    assert!(strange.is_empty(), "at the top level: {strange:?}");
    assert!(tops.iter().any(|name| name.starts_with("LICENSE")), "there is no licence");
    Ok(())
}

#[test]
fn both_engines_have_the_same_migrations() -> Result<()> {
    let of = |engine: &str| -> Result<BTreeSet<String>> {
        let folder = format!("migrations/{engine}/");
        Ok(files()?.iter().filter_map(|path| path.strip_prefix(&folder)).map(str::to_owned).collect())
    };
    let (sqlite, postgres) = (of("sqlite")?, of("postgres")?);
    assert_eq!(sqlite, postgres);
    assert!(!sqlite.is_empty(), "there are no migrations");
    Ok(())
}

#[test]
fn the_readme_names_the_two_commands_that_a_stranger_runs() -> Result<()> {
    let readme = fs::read_to_string(root().join("README.md")).context("README.md")?;
    for command in ["cargo run --release -- demo", "cargo xtask test"] {
        assert!(readme.contains(command), "README.md does not name `{command}`");
    }
    Ok(())
}

/// The top of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust file with its text.
fn rust_files() -> Result<BTreeMap<String, String>> {
    let rust = files()?.into_iter().filter(|path| Path::new(path).extension().is_some_and(|end| end == "rs"));
    rust.map(|path| {
        let text = fs::read_to_string(root().join(&path)).with_context(|| path.clone())?;
        Ok((path, text))
    })
    .collect()
}

/// Every crate's manifest by the crate's short name.
fn manifests() -> Result<BTreeMap<String, toml::Table>> {
    let mut found = BTreeMap::new();
    // The fuzz targets are a workspace of their own, built by another command.
    let of_workspace = |path: &&String| path.ends_with("/Cargo.toml") && !path.starts_with("tests/fuzz/");
    for path in files()?.iter().filter(of_workspace) {
        let text = fs::read_to_string(root().join(path)).with_context(|| path.clone())?;
        let manifest: toml::Table = text.parse().with_context(|| path.clone())?;
        let name = manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
        let name = name.with_context(|| format!("{path} has no name"))?;
        found.insert(name.strip_prefix("interline-").unwrap_or(name).to_owned(), manifest);
    }
    Ok(found)
}

/// The names that a crate's own code may use; what only its tests use is no edge.
fn dependencies(manifest: &toml::Table) -> Vec<String> {
    let kinds = ["dependencies", "build-dependencies"];
    let tables = kinds.into_iter().filter_map(|kind| manifest.get(kind).and_then(toml::Value::as_table));
    tables.flat_map(|table| table.keys().cloned()).collect()
}

/// Every file that belongs to the repository, relative to its top; asks git, or walks where there is no checkout.
fn files() -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).current_dir(root());
    if let Ok(output) = git.output()
        && output.status.success()
    {
        let listed = String::from_utf8(output.stdout)?;
        let names = listed.split('\0').filter(|name| !name.is_empty());
        return Ok(names.filter(|name| root().join(name).is_file()).map(str::to_owned).collect());
    }
    let mut found = Vec::new();
    walk(&root(), "", &mut found)?;
    Ok(found)
}

/// Every file below `folder` but hidden ones and what cargo builds.
fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || (prefix.is_empty() && name == "target") {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{path}/"), found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}
