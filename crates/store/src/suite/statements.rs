//! Every statement of the crate is one that both engines take.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _};

use super::{Site, on_both};
use crate::{db::Db, tables, verify};

/// The scan finds at least so many; fewer mean that it no longer sees them.
const STATEMENTS_MIN: usize = 90;

/// Broken: a statement with a word, a table or a column that one engine does not have, in code that no other test
/// reaches on that engine.
#[tokio::test]
async fn both_engines_take_every_statement() {
    on_both(async |site: &Site| {
        let store = site.open().await;
        let mut texts: BTreeSet<String> = statements().iter().map(|text| site.engine.text(text)).collect();
        texts.extend(tables::ALL.iter().map(|table| table.sql(site.engine)));
        let mut refused = Vec::new();
        for text in texts {
            if let Err(error) = prepare(&store.db, &text).await {
                refused.push(format!("{error}: {text}"));
            }
        }
        assert!(refused.is_empty(), "{refused:#?}");
        let nonsense = prepare(&store.db, "SELECT nothing FROM nowhere").await;
        assert!(nonsense.is_err(), "to prepare a statement proves nothing");
    })
    .await;
}

/// Broken: the scan passes statements over, and the test above holds without looking at them.
#[test]
fn the_scan_sees_the_statements() {
    let found = statements();
    assert!(found.len() >= STATEMENTS_MIN, "only {} statements were found", found.len());
    for query in verify::queries() {
        assert!(found.contains(query), "not found: {query}");
    }
    let source = r#"let c = ['"', '\'', '\\']; // "SELECT no"
        f::<'a>("SELECT \"one\" / 2"); g("two
        lines", 'é', "")"#;
    assert_eq!(literals(source), [r#"SELECT \"one\" / 2"#, "two\n        lines", ""]);
}

async fn prepare(db: &Db, text: &str) -> Result<(), sqlx::Error> {
    let text = AssertSqlSafe(text.to_owned()).into_sql_str();
    match db {
        Db::Sqlite { readers, .. } => readers.prepare(text).await.map(drop),
        Db::Postgres(pool) => pool.prepare(text).await.map(drop),
    }
}

/// The statements that stand in the sources of this crate.
fn statements() -> BTreeSet<String> {
    let texts = sources().into_iter().map(|path| fs::read_to_string(path).unwrap());
    let is_statement =
        |text: &String| ["SELECT ", "INSERT ", "UPDATE ", "DELETE "].iter().any(|verb| text.starts_with(verb));
    texts.flat_map(|text| literals(&text)).filter(is_statement).collect()
}

/// The sources, but for this suite and for the templates of sets, for which the tables stand.
fn sources() -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            match path.file_name().and_then(OsStr::to_str) {
                Some("suite" | "suite.rs" | "sets.rs") => {}
                _ if path.is_dir() => folders.push(path),
                _ => files.push(path),
            }
        }
    }
    files
}

/// The strings of a source text as they are written there. Comments, characters such as `'"'` and lifetimes are passed
/// over.
fn literals(source: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), source);
    while let Some(at) = rest.find(['"', '\'', '/']) {
        rest = &rest[at..];
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if let Some(text) = rest.strip_prefix('"') {
            let end = end_of_string(text);
            found.push(text[..end].to_owned());
            rest = text.get(end + 1..).unwrap_or_default();
        } else if let Some(escaped) = rest.strip_prefix("'\\") {
            // What is escaped may be a quote itself.
            let end = escaped.char_indices().skip(1).find(|(_, c)| *c == '\'').map_or(escaped.len(), |(end, _)| end);
            rest = escaped.get(end + 1..).unwrap_or_default();
        } else if rest.starts_with('\'') && rest.chars().nth(2) == Some('\'') {
            let mut characters = rest.chars();
            characters.nth(2);
            rest = characters.as_str();
        } else {
            rest = &rest[1..];
        }
    }
    found
}

/// Where the string ends that `text` is the rest of.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    let ends = |c: char| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    };
    text.find(ends).unwrap_or(text.len())
}
