//! The documents that must keep up with the sources.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;
use testflinger_server::config::{Raw, Size};

use crate::support::TestServer;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Without the names of its parameters: `/v1/job/{}`.
fn plain(path: &str) -> String {
    let parts = path.split('/').map(|part| {
        let parameter = part.starts_with('{') || part.chars().any(char::is_uppercase);
        if parameter { "{}" } else { part }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// The methods and paths in the table of `src/api/mod.rs`.
fn routes() -> BTreeSet<(String, String)> {
    let source = read("src/api/mod.rs");
    let mut found = BTreeSet::new();
    for route in source.split(".at(\"").skip(1) {
        let (path, handlers) = route.split_once('"').unwrap();
        for method in ["get", "post", "put", "delete"] {
            let named = [format!(" {method}("), format!(").{method}(")];
            if named.iter().any(|call| handlers.contains(call)) {
                found.insert((method.to_uppercase(), plain(path)));
            }
        }
    }
    found
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let text = read("docs/API.md");
    let headings = text.lines().filter_map(|line| line.strip_prefix("### ")?.split_once(" /"));
    let mut described: BTreeSet<(String, String)> =
        headings.map(|(method, path)| (method.to_owned(), plain(&format!("/{path}")))).collect();
    // The kind of a log is a parameter in the table and two headings for readers.
    for method in ["GET", "POST"] {
        for kind in ["output", "serial"] {
            let heading = (method.to_owned(), format!("/v1/result/{{}}/log/{kind}"));
            assert!(described.remove(&heading), "{heading:?}");
        }
        described.insert((method.to_owned(), "/v1/result/{}/log/{}".to_owned()));
    }
    assert_eq!(described, routes());
}

#[test]
fn every_metric_is_described_and_nothing_else() {
    let text = read("docs/MONITORING.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let described: BTreeSet<String> =
        rows.filter(|name| name.contains('_')).map(str::to_owned).collect();
    let server = TestServer::with(Raw { max_json_size: Some(Size(1000)), ..Raw::default() });
    let caller = server.anonymous();
    let id = caller.submit(&json!({ "job_queue": "q", "reserve_data": {} }));
    caller.post(&format!("/v1/job/{id}/action"), &json!({ "action": "cancel" }));
    assert_eq!(caller.json("POST", "/v1/job", &" ".repeat(2000)).status, 413);
    assert_eq!(caller.send("POST", &format!("/v1/result/{id}/output"), b"a line").status, 200);
    let answer = caller.get("/metrics");
    let types = answer.text().lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let shown = types.filter_map(|line| line.split(' ').next()).map(str::to_owned);
    assert_eq!(described, shown.collect());
}

#[test]
fn links_within_the_documents_lead_somewhere() {
    let documents = [
        "README.md",
        "CONTRIBUTING.md",
        "docs/API.md",
        "docs/ARCHITECTURE.md",
        "docs/LOGGING.md",
        "docs/MONITORING.md",
        "docs/OPERATIONS.md",
        "SECURITY.md",
    ];
    for document in documents {
        let text = read(document);
        let folder = Path::new(document).parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { document.into() } else { folder.join(file) };
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            assert!(root.join(&target).exists(), "{document}: {link}");
            if !anchor.is_empty() {
                let headings = read(target.to_str().unwrap());
                let anchors = headings.lines().filter(|line| line.starts_with('#')).map(|line| {
                    let words = line.trim_start_matches('#').trim().to_lowercase();
                    let kept = words.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                    kept.collect::<String>().replace(' ', "-")
                });
                assert!(anchors.into_iter().any(|found| found == anchor), "{document}: {link}");
            }
        }
    }
}
