//! What a dump has is there afterwards.

use std::path::Path;

use bson::doc;
use serde_json::{Value, json};

use super::dump::{self, Dump, SECRET, artifact, gzip, id};
use super::{Site, assert_line, lines};
use crate::binary::cli::Cli;
use crate::support::Program;

/// Everything of [`Dump::full`] is there.
#[track_caller]
fn serves_all(data: &Path) {
    let program = Program::serve(data);
    let login = program.log_in("ci", SECRET);
    assert_eq!(login.status, 200);
    let token = login.value()["access_token"].as_str().unwrap().to_owned();
    let ci = program.anonymous().header("Authorization", &format!("Bearer {token}"));
    let clients = ci.get("/v1/client-permissions/ci").value();
    let expected = json!({
        "client_id": "ci", "role": "manager", "email": "ci@lab.example", "allowed_queues": ["private"],
        "max_priority": { "*": 5, "rack1": 7 }, "max_reservation_time": { "*": 40000 },
    });
    assert_eq!(clients, expected);
    assert_eq!(ci.get("/v1/client-permissions/old").value()["role"], "contributor");
    assert_eq!(ci.get("/v1/client-permissions/me@lab.example").status, 200);
    assert_eq!(
        ci.get("/v1/restricted-queues").value(),
        json!([{ "owners": ["ci"], "queue": "private" }])
    );
    let anyone = program.anonymous();
    let refresh =
        |token: &str| anyone.post("/v1/oauth2/refresh", &json!({ "refresh_token": token })).status;
    assert_eq!((refresh("token-of-ci"), refresh("expired")), (200, 400));

    let agent = anyone.get("/v1/agents/data/agent1").value();
    for (name, value) in [
        ("state", json!("test")),
        ("comment", json!("by hand")),
        ("job_id", json!(id(2))),
        ("queues", json!(["rack1", "private"])),
        ("restricted_to", json!({ "private": ["ci"] })),
        ("provision_streak_type", json!("fail")),
        ("provision_streak_count", json!(3)),
    ] {
        assert_eq!(agent[name], value, "{name} of {agent}");
    }
    assert_eq!(
        anyone.get("/v1/agents/queues").value(),
        json!({ "pictures": "", "rack1": "a rack" })
    );
    assert_eq!(anyone.get("/v1/agents/images/pictures").value(), json!({ "a.b": "url: y" }));
    let waits = anyone.get("/v1/queues/wait_times?queue=rack1").value();
    assert_eq!(waits["rack1"], json!({ "5": 0.2, "10": 0.4, "50": 2.0, "90": 2.0, "95": 2.0 }));
    jobs(&program);
    drop(program.stop());
    Cli(data).ok(&["check"]);
}

#[track_caller]
fn jobs(program: &Program) {
    let anyone = program.anonymous();
    let states = anyone.get("/v1/queues/rack1/jobs").value();
    let states: Vec<_> =
        states.as_array().unwrap().iter().map(|job| job["job_state"].clone()).collect();
    assert_eq!(states, ["complete", "test", "waiting", "waiting", "waiting", "cancelled"]);
    let body = anyone.get(&format!("/v1/job/{}", id(1))).value();
    let expected = json!({
        "job_id": id(1), "job_queue": "rack1", "tags": ["smoke", "n1"], "exclude_agents": [],
        "provision_data": { "distro": "noble", "depth": 1, "ratio": 0.5, "none": null },
    });
    assert_eq!(body, expected);
    let old = anyone.get(&format!("/v1/result/{}", id(1))).value();
    assert_eq!((&old["test_status"], &old["device_info"]), (&json!(0), &json!({ "ip": "::1" })));
    assert_eq!(old["test_output"].as_str().unwrap().len(), 200_000);
    let running = anyone.get(&format!("/v1/result/{}", id(2))).value();
    let expected = json!({
        "agent_id": "agent1", "job_state": "test", "provision_status": 1, "setup_status": 0,
        "test_output": "line 0\nline 1\nline 2\n",
    });
    assert_eq!(running, expected);
    let log =
        anyone.get(&format!("/v1/result/{}/log/output?phase=test&start_fragment=1", id(2))).value();
    assert_eq!(
        log["output"]["test"],
        json!({ "last_fragment_number": 2, "log_data": "line 1\nline 2\n" })
    );
    assert_eq!(anyone.get(&format!("/v1/result/{}/output", id(1))).text(), "unread\ntext");
    assert_eq!(anyone.get(&format!("/v1/result/{}/serial_output", id(1))).text(), "boot");
    let artifact_of = |n: u32| anyone.get(&format!("/v1/result/{}/artifact", id(n)));
    assert_eq!((artifact_of(1).status, artifact_of(1).body), (200, artifact()));
    assert_eq!((artifact_of(6).status, artifact_of(6).body.len()), (200, 0));
    assert_eq!(anyone.get(&format!("/v1/job/{}/attachments", id(2))).body, b"archive");
    assert_eq!(anyone.get("/v1/job/search?tags=n3").value()[0]["job_id"], id(3));

    // A job that is running goes on, and what waits is handed out: the one without secrets and attachments.
    let agent = anyone.clone().header("Cookie", "agent_name=agent1");
    let line = json!({ "fragment_number": 3, "phase": "test", "timestamp": "2026-11-24T12:00:00Z", "log_data": "line 3\n" });
    assert_eq!(agent.post(&format!("/v1/result/{}/log/output", id(2)), &line).status, 200);
    assert_eq!(
        agent.post(&format!("/v1/result/{}", id(2)), &json!({ "job_state": "complete" })).status,
        200
    );
    assert_eq!(anyone.state(&id(2)), "complete");
    assert_eq!(agent.claim("rack1"), Some(id(3)));
    assert_eq!(anyone.clone().header("Cookie", "agent_name=agent2").claim("rack1"), None);
    let position = anyone.get(&format!("/v1/job/{}/position", id(5)));
    assert_eq!((position.status, position.text()), (200, "1"));
}

#[test]
fn everything_moves_in_from_a_directory_and_an_archive_compressed_or_not() {
    for (archive, compressed) in [(false, false), (false, true), (true, false), (true, true)] {
        let (site, dump) = (Site::new(), Dump::full());
        let path = site.path("dump");
        if archive {
            let bytes = dump.archive();
            std::fs::write(&path, if compressed { gzip(&bytes) } else { bytes }).unwrap();
        } else {
            dump.directory(&path, compressed);
        }
        let (code, report) = site.import_from(&path, &[]);
        // The value of the secret is encrypted, so it is left out.
        assert_eq!(code, 1, "{:#?}", lines(&report));
        let left_out: Vec<_> =
            lines(&report).into_iter().filter(|line| line.contains("left_out")).collect();
        assert_eq!(left_out.len(), 1, "{left_out:#?}");
        assert_line(&report, &["secrets.ci", "wifi/password", "secret-admin put"]);
        assert_line(&report, &["client_permissions", "me@lab.example", "changed", "set-secret"]);
        assert_line(&report, &["device_codes", "skipped"]);
        assert_line(&report, &["refresh_tokens", "skipped", "1: they have expired"]);
        assert_eq!(report["collections"]["jobs"]["taken"], 6, "{report}");
        serves_all(&site.data());
    }
}

#[test]
fn the_folder_of_the_database_itself_is_a_dump_too() {
    let (site, dump) = (Site::new(), Dump::full());
    dump.directory(&site.path("dump"), false);
    let (_, report) = site.import_from(&site.path("dump/testflinger_db"), &[]);
    assert_eq!(report["collections"]["jobs"]["taken"], 6);
}

#[test]
fn a_dry_run_says_the_same_and_writes_nothing() {
    let (site, dump) = (Site::new(), Dump::full());
    let dry = site.import(&dump, &["--dry-run"]);
    assert!(!site.data().exists() && !site.path("data.partial").exists());
    assert_eq!(dry, site.import(&dump, &[]));
}

#[test]
fn the_report_for_people_has_a_table_and_a_line_for_each_that_is_not_as_it_was() {
    let (site, dump) = (Site::new(), Dump::full());
    dump.directory(&site.path("dump"), false);
    let output = Cli(&site.data()).run(&["import", "mongodb", site.path("dump").to_str().unwrap()]);
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("COLLECTION") && out.contains("LEFT OUT"), "{out}");
    assert!(out.contains("\nsecrets.ci wifi/password: left out: its value is encrypted"), "{out}");
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("1 thing was left out"), "{err}");
}

#[test]
fn hashes_of_any_cost_move_in_and_out_again() {
    let (site, mut dump) = (Site::new(), Dump::default());
    let hash = bcrypt::hash(SECRET, 4).unwrap();
    let costs = ["04", "16", "17", "24", "25", "31"];
    for cost in costs {
        let hash = hash.replace("$04$", &format!("${cost}$"));
        let client = doc! { "client_id": format!("c{cost}"), "client_secret_hash": hash };
        dump.add("client_permissions", &client);
    }
    dump.add(
        "client_permissions",
        &doc! { "client_id": "c3", "client_secret_hash": hash.replace("$04$", "$03$") },
    );
    let (code, report) = site.import(&dump, &[]);
    assert_eq!(code, 1);
    for (id, word) in
        [("c17", "after some minutes"), ("c24", "minutes"), ("c25", "hours"), ("c31", "hours")]
    {
        assert_line(&report, &["client_permissions", id, "changed", word]);
    }
    assert_line(&report, &["client_permissions", "c3", "left_out", "is not a bcrypt hash"]);
    assert_eq!(report["collections"]["client_permissions"]["changed"], 4, "{report}");
    let out = site.path("out");
    Cli(&site.data()).ok(&["export", out.to_str().unwrap(), "--mongodb"]);
    let clients = std::fs::read(out.join("testflinger_db/client_permissions.bson")).unwrap();
    for cost in costs {
        let hash = hash.replace("$04$", &format!("${cost}$"));
        assert!(clients.windows(60).any(|window| window == hash.as_bytes()), "{cost}");
    }
}

#[test]
fn since_leaves_out_old_finished_jobs_with_all_that_belongs_to_them() {
    let (site, dump) = (Site::new(), Dump::full());
    // Jobs 1 and 6 have ended; the running one is older than the span as well and stays.
    let (_, report) = site.import(&dump, &["--since", "75s"]);
    assert_line(&report, &["jobs", "skipped", "1: they belong to finished jobs"]);
    assert_line(&report, &["fs.files", "skipped", "1: "]);
    assert_line(&report, &["output", "skipped", "1: "]);
    let program = Program::serve(&site.data());
    let anyone = program.anonymous();
    assert_eq!(anyone.get(&format!("/v1/result/{}", id(1))).status, 204);
    assert_eq!(anyone.get(&format!("/v1/result/{}/artifact", id(1))).status, 204);
    assert_eq!(anyone.state(&id(2)), "test");
    assert_eq!(anyone.state(&id(6)), "cancelled");
}

#[test]
fn jobs_wait_in_the_order_in_which_they_were_submitted_whatever_the_order_of_the_dump() {
    let (site, mut dump) = (Site::new(), Dump::default());
    for (n, age) in [(1, 10), (2, 40), (3, 20), (4, 30)] {
        dump.add("jobs", &dump::job(n, "waiting", age));
    }
    assert_eq!(site.import(&dump, &[]).0, 0);
    let program = Program::serve(&site.data());
    let claimed: Vec<_> = std::iter::from_fn(|| program.anonymous().claim("rack1")).collect();
    assert_eq!(claimed, [id(2), id(4), id(3), id(1)]);
}

#[test]
fn a_database_is_named_when_several_look_like_it() {
    let (site, dump) = (Site::new(), Dump::full());
    let path = site.path("dump");
    dump.directory(&path, false);
    std::fs::create_dir(path.join("copy")).unwrap();
    for name in ["jobs", "agents"] {
        let from = path.join("testflinger_db").join(format!("{name}.bson"));
        std::fs::copy(from, path.join("copy").join(format!("{name}.bson"))).unwrap();
    }
    let dump = path.to_str().unwrap();
    let said = Cli(&site.data()).fails(1, &["import", "mongodb", dump]);
    assert!(said.contains("--database with one of copy, testflinger_db"), "{said}");
    let (code, report) = site.import_from(&path, &["--database", "copy"]);
    assert_eq!((code, &report["collections"]["jobs"]["taken"]), (0, &Value::from(6)), "{report}");
}
