use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::{enrol, page, run_job};
use crate::support::{Caller, TestServer};

/// The ids of the jobs that a page lists, in its order.
fn ids(caller: &Caller, path: &str) -> Vec<String> {
    let answer = caller.get(path);
    assert_eq!(answer.status, 200, "{path}");
    let links = answer.text().split("<td class=\"name\"><a href=\"/jobs/").skip(1);
    links.map(|rest| rest[..36].to_owned()).collect()
}

#[test]
fn jobs_are_listed_newest_first_a_page_at_a_time() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let all: Vec<String> = (0..120).map(|_| anyone.submit(&json!({ "job_queue": "q" }))).collect();
    let (mut seen, mut path) = (Vec::new(), "/jobs?queue=q".to_owned());
    loop {
        seen.extend(ids(&anyone, &path));
        let text = anyone.get(&path).text().to_owned();
        let Some((before, _)) = text.split_once("\">Older") else { break };
        path = before.rsplit_once("href=\"").unwrap().1.replace("&#38;", "&").replace("&amp;", "&");
    }
    let newest_first: Vec<String> = all.into_iter().rev().collect();
    assert_eq!(seen, newest_first);
}

#[test]
fn the_few_jobs_of_a_submitter_are_found_behind_many_others_and_a_text_page_by_page() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let me = server.client("me", "contributor");
    let mine = me.submit(&json!({ "job_queue": "q" }));
    // More than are looked at for one page.
    std::thread::scope(|scope| {
        for _ in 0..20 {
            let many = || (0..105).for_each(|_| drop(anyone.submit(&json!({ "job_queue": "q" }))));
            scope.spawn(many);
        }
    });
    assert_eq!(ids(&anyone, "/jobs?by=me"), std::slice::from_ref(&mine));
    assert!(!anyone.get("/jobs?by=me").text().contains(">Older"));
    // Of a text there is no index.
    let newest = anyone.get(&format!("/jobs?text={mine}"));
    for part in
        ["None of the jobs that this page looked at matches.", "This page looked at 2000 jobs;"]
    {
        assert!(newest.text().contains(part), "{part}: {}", newest.text());
    }
    let (before, _) = newest.text().split_once("\">Older").unwrap();
    let older = before.rsplit_once("href=\"").unwrap().1.replace("&#38;", "&");
    assert_eq!(ids(&anyone, &older), [mine]);
    assert!(!anyone.get(&older).text().contains("This page looked at"));
}

#[test]
fn jobs_are_filtered_by_state_queue_tag_submitter_and_text() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let me = server.client("me", "contributor");
    let agent = enrol(&server, "rig", &json!({ "state": "waiting", "queues": ["q"] }));
    let passed = run_job(&server, &agent, &json!({ "job_queue": "q", "tags": ["smoke"] }), 0);
    let failed = run_job(&server, &agent, &json!({ "job_queue": "q", "name": "Nightly Build" }), 3);
    let running = anyone.submit(&json!({ "job_queue": "q" }));
    assert_eq!(agent.claim("q"), Some(running.clone()));
    let mine = me.submit(&json!({ "job_queue": "other", "tags": ["smoke", "x"] }));
    let cancelled = anyone.submit(&json!({ "job_queue": "other" }));
    anyone.post(&format!("/v1/job/{cancelled}/action"), &json!({ "action": "cancel" }));
    for (query, found) in [
        ("", vec![&cancelled, &mine, &running, &failed, &passed]),
        ("state=waiting", vec![&mine]),
        ("state=active", vec![&running]),
        ("state=failed", vec![&failed]),
        ("state=complete", vec![&passed]),
        ("state=cancelled", vec![&cancelled]),
        ("queue=other", vec![&cancelled, &mine]),
        ("queue=other&state=waiting", vec![&mine]),
        ("tag=smoke", vec![&mine, &passed]),
        ("tag=smoke&queue=q", vec![&passed]),
        ("by=me", vec![&mine]),
        ("by=me&queue=other", vec![&mine]),
        ("by=me&queue=q", vec![]),
        ("by=me&tag=x&state=waiting", vec![&mine]),
        ("text=nightly", vec![&failed]),
        ("text=RIG", vec![&running, &failed, &passed]),
        (&format!("text={}", &passed[24..]), vec![&passed]),
        ("text=nothing+has+this", vec![]),
        ("queue=none", vec![]),
    ] {
        let ids = ids(&anyone, &format!("/jobs?{query}"));
        assert_eq!(ids.iter().collect::<Vec<_>>(), found, "{query}");
    }
    assert!(page(&anyone, "/jobs").contains("test failed"));
}

#[test]
fn agents_are_filtered_and_sorted() {
    let server = TestServer::start();
    enrol(&server, "b-idle", &json!({ "state": "waiting", "queues": ["q"], "location": "Rack 7" }));
    enrol(
        &server,
        "a-away",
        &json!({ "state": "offline", "queues": ["q"], "comment": "no power" }),
    );
    let busy = enrol(&server, "c-busy", &json!({ "state": "waiting", "queues": ["busy"] }));
    let id = server.anonymous().submit(&json!({ "job_queue": "busy", "name": "my job" }));
    assert_eq!(busy.claim("busy"), Some(id));
    let anyone = server.anonymous();
    let order = |query: &str| -> Vec<String> {
        let shown = anyone.get(&format!("/agents?{query}"));
        let links = shown.text().split("<a href=\"/agents/").skip(1);
        links.filter_map(|rest| rest.split_once('"').map(|(name, _)| name.to_owned())).collect()
    };
    assert_eq!(order(""), ["a-away", "b-idle", "c-busy"]);
    assert_eq!(order("sort=-name"), ["c-busy", "b-idle", "a-away"]);
    assert_eq!(order("sort=job"), ["c-busy", "a-away", "b-idle"]);
    assert_eq!(order("state=offline"), ["a-away"]);
    assert_eq!(order("state=busy"), ["c-busy"]);
    assert_eq!(order("text=rack+7"), ["b-idle"]);
    assert_eq!(order("text=power"), ["a-away"]);
    let shown = page(&anyone, "/agents");
    assert!(
        shown.contains("3 of 3") && shown.contains("my job") && shown.contains("no power"),
        "{shown}"
    );
}

#[test]
fn home_shows_what_needs_a_person_and_nothing_when_all_is_well() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    assert!(page(&anyone, "/").contains("All is well."));
    enrol(&server, "rig", &json!({ "state": "waiting", "queues": ["q"] }));
    assert!(page(&anyone, "/").contains("All is well."));

    enrol(
        &server,
        "broken",
        &json!({ "state": "offline", "queues": ["q"], "comment": "the fan is dead" }),
    );
    anyone.submit(&json!({ "job_queue": "misspelt" }));
    let shown = page(&anyone, "/");
    for part in [
        "broken the fan is dead",
        "no agent misspelt Jobs wait in this queue, and no agent serves it.",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    server.pass(Duration::from_mins(10));
    assert!(page(&anyone, "/").contains("silent rig It was not heard any more"));
}

#[test]
fn a_queue_shows_its_agents_jobs_and_waits() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let agent = enrol(&server, "rig", &json!({ "state": "waiting", "queues": ["q"] }));
    anyone.post("/v1/agents/queues", &json!({ "q": "the boards of rack 7" }));
    let ended = run_job(&server, &agent, &json!({ "job_queue": "q" }), 1);
    let waiting = anyone.submit(&json!({ "job_queue": "q" }));
    server.client("owner", "contributor");
    server.local().restrict("q", "owner");
    let shown = anyone.get("/queues/q");
    let text = super::words(shown.text());
    for part in ["the boards of rack 7", "restricted", "Owned by owner", "rig", "half within 0 s"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(shown.text().contains("<svg class=\"chart\""));
    let listed: BTreeSet<String> = ids(&anyone, "/queues/q").into_iter().collect();
    assert_eq!(listed, BTreeSet::from([ended, waiting]));
    assert!(page(&anyone, "/queues").contains("q restricted the boards of rack 7 1 0 1"));
}

#[test]
fn the_page_of_a_queue_with_a_slash_in_its_name_is_linked_and_there() {
    let server = TestServer::start();
    let anyone = server.anonymous();
    let rig = json!({ "state": "waiting", "queues": ["rack/7"] });
    assert_eq!(anyone.post("/v1/agents/data/rig%2F1", &rig).status, 200);
    anyone.submit(&json!({ "job_queue": "rack/7", "name": "mine" }));
    for (list, place, name) in [("/queues", "/queues/", "rack/7"), ("/agents", "/agents/", "rig/1")]
    {
        let text = anyone.get(list).text().to_owned();
        let (_, rest) = text.split_once(&format!("href=\"{place}")).unwrap();
        let link = format!("{place}{}", rest.split_once('"').unwrap().0);
        assert!(page(&anyone, &link).contains(name), "{link}");
    }
    assert!(page(&anyone, "/jobs?queue=rack%2F7").contains("mine"));
}
