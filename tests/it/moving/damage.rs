//! Dumps that are cut off, damaged, made up or of something else: each loss is a line, and the rest is there.

use bson::oid::ObjectId;
use bson::{DateTime, doc};
use serde_json::Value;

use super::dump::{Dump, ago, gzip, id, job};
use super::{Site, assert_line, has_line, lines};
use crate::binary::cli::Cli;
use crate::support::Program;

fn states(site: &Site) -> Vec<String> {
    let program = Program::serve(&site.data());
    let jobs = program.anonymous().get("/v1/job/search").value();
    let state = |job: &Value| job["job_state"].as_str().unwrap().to_owned();
    jobs.as_array().unwrap().iter().map(state).collect()
}

#[test]
fn a_directory_whose_files_are_cut_off_gives_what_is_whole() {
    let (site, mut dump) = (Site::new(), Dump::full());
    for name in ["jobs", "logs", "fs.chunks"] {
        dump.0.get_mut(name).unwrap().last_mut().unwrap().pop();
    }
    let (code, report) = site.import(&dump, &[]);
    assert_eq!(code, 1);
    assert_line(&report, &["jobs", "left_out", "after 5 documents it is cut off"]);
    assert_line(&report, &["logs", "left_out", "after 2 documents it is cut off"]);
    assert_line(
        &report,
        &["fs.files", &format!("{}.attachments", id(2)), "1 of its 1 chunks are missing"],
    );
    assert_eq!(states(&site).len(), 5);
    Cli(&site.data()).ok(&["check"]);
}

#[test]
fn an_archive_that_is_cut_off_anywhere_is_imported_as_far_as_it_goes_and_says_so() {
    let whole = Dump::full().archive();
    let mut taken = Vec::new();
    for n in 1..12 {
        let end = whole.len() * n / 12;
        for bytes in [whole[..end].to_vec(), gzip(&whole)[..gzip(&whole).len() * n / 12].to_vec()] {
            let site = Site::new();
            let path = site.path("dump");
            std::fs::write(&path, bytes).unwrap();
            let output =
                Cli(&site.data()).run(&["import", "mongodb", path.to_str().unwrap(), "--json"]);
            assert_eq!(output.status.code(), Some(1));
            let Ok(said) = serde_json::from_slice::<Value>(&output.stdout) else { continue };
            let report = &said["report"];
            assert!(
                has_line(report, &["left_out", "the rest cannot be read"]),
                "{:#?}",
                lines(report)
            );
            taken.push(report["collections"]["jobs"]["taken"].as_u64().unwrap_or(0));
            assert!(site.data().exists());
        }
    }
    assert!(taken.iter().any(|jobs| *jobs > 0), "{taken:?}");
}

#[test]
fn a_flipped_bit_in_an_archive_is_noticed() {
    let (site, mut bytes) = (Site::new(), Dump::full().archive());
    let at = bytes.windows(6).position(|window| window == b"line 1").unwrap();
    bytes[at] ^= 1;
    std::fs::write(site.path("dump"), bytes).unwrap();
    let (code, report) = site.import_from(&site.path("dump"), &[]);
    assert_eq!(code, 1);
    assert_line(&report, &["logs", "left_out", "another sum"]);
}

#[test]
fn damage_in_a_compressed_file_is_noticed_even_where_all_documents_can_be_read() {
    let (site, dump) = (Site::new(), Dump::full());
    dump.directory(&site.path("dump"), true);
    let path = site.path("dump/testflinger_db/jobs.bson.gz");
    let mut bytes = std::fs::read(&path).unwrap();
    let sum = bytes.len() - 8;
    bytes[sum] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (code, report) = site.import_from(&site.path("dump"), &[]);
    assert_eq!(code, 1);
    assert_line(
        &report,
        &["jobs", "left_out", "after 6 documents its compression is cut off or damaged"],
    );
}

#[test]
fn no_damage_to_a_byte_ends_in_anything_but_a_report_or_a_sentence() {
    let mut dump = Dump::default();
    let full = Dump::full();
    for name in ["jobs", "agents", "logs", "fs.files"] {
        dump.0.insert(name.to_owned(), full.0[name].clone());
    }
    for document in dump.0.get_mut("jobs").unwrap() {
        document.truncate(400);
        let length = i32::try_from(document.len()).unwrap();
        document[..4].copy_from_slice(&length.to_le_bytes());
        *document.last_mut().unwrap() = 0;
    }
    let whole = dump.archive();
    for n in 0..40 {
        let (site, mut bytes) = (Site::new(), whole.clone());
        let at = bytes.len() * n / 40 + n % 7;
        bytes[at] ^= 0x81;
        std::fs::write(site.path("dump"), bytes).unwrap();
        let output =
            Cli(&site.data()).run(&["import", "mongodb", site.path("dump").to_str().unwrap()]);
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code().is_some_and(|code| code < 2), "{n}: {err}");
        assert!(!err.contains("panicked"), "{n}: {err}");
        assert!(!site.path("data.partial").exists());
    }
}

#[test]
fn something_else_is_refused_in_a_sentence_and_leaves_nothing() {
    let site = Site::new();
    let mut other = Dump::default();
    other.add("invoices", &doc! { "sum": 5 });
    other.directory(&site.path("other"), false);
    std::fs::create_dir(site.path("empty")).unwrap();
    std::fs::write(site.path("text"), "hello").unwrap();
    std::fs::write(site.path("packed"), gzip(b"hello")).unwrap();
    for (name, word) in [
        ("other", "no database of a Testflinger server"),
        ("empty", "no database of a Testflinger server"),
        ("text", "neither a directory nor an archive"),
        ("packed", "neither a directory nor an archive"),
        ("missing", "No such file"),
    ] {
        let said =
            Cli(&site.data()).fails(1, &["import", "mongodb", site.path(name).to_str().unwrap()]);
        assert!(said.contains(word), "{name}: {said}");
        assert!(!site.data().exists() && !site.path("data.partial").exists());
    }
}

#[test]
fn documents_that_cannot_be_taken_are_named_one_by_one() {
    let (site, mut dump) = (Site::new(), Dump::default());
    let changed = |n: u32, change: &dyn Fn(&mut bson::Document)| {
        let mut job = job(n, "waiting", 60);
        change(&mut job);
        job
    };
    let long = "q".repeat(1025);
    let bad: [(u32, Change<'_>); 6] = [
        (1, &|job| drop(job.insert("job_id", "not-a-uuid"))),
        (2, &|job| drop(job.insert("job_data", doc! { "job_queue": &long }))),
        (3, &|job| drop(job.insert("job_data", 5))),
        (4, &|job| drop(job.insert("created_at", DateTime::from_millis(i64::MAX)))),
        (5, &|job| drop(job.insert("created_at", DateTime::from_millis(-1)))),
        (6, &|job| drop(job.insert("job_data", doc! { "job_queue": "rack1", "deep": deep(150) }))),
    ];
    for (n, change) in bad {
        dump.add("jobs", &changed(n, change));
    }
    let mut newer = job(7, "cancelled", 30);
    newer.insert("started_at", ago(20));
    dump.add("jobs", &job(7, "waiting", 90))
        .add("jobs", &newer)
        .add("jobs", &job(8, "waiting", 50));
    dump.add("client_permissions", &doc! { "client_id": "a/b", "client_secret_hash": "x" })
        .add("client_permissions", &doc! { "client_id": "weak", "client_secret_hash": "md5" })
        .add("client_permissions", &doc! { "client_id": "god", "role": "god" })
        .add("agents", &doc! { "name": "twice", "queues": [] })
        .add("agents", &doc! { "name": "twice", "queues": [] })
        .add("agents", &doc! { "name": "long", "queues": [&long] })
        .add("queues", &doc! { "name": &long })
        .add("queues", &doc! { "description": "no name" })
        .add("logs", &doc! { "job_id": id(8), "log_type": "colour", "phase": "test", "fragment_number": 1, "log_data": "" })
        .add("fs.files", &doc! { "_id": 5, "filename": "holiday.jpg", "length": 5, "chunkSize": 5 })
        .add("fs.files", &doc! { "_id": 6, "filename": format!("{}.artifact", id(8)), "length": i64::MAX, "chunkSize": 1 });
    let (code, report) = site.import(&dump, &[]);
    assert_eq!(code, 1);
    for words in [
        &["jobs", "not-a-uuid", "left_out", "job_id is not a UUID"][..],
        &["jobs", &id(2), "left_out", "job_queue: Longer than maximum length 1024"],
        &["jobs", &id(3), "left_out", "job_data is missing"],
        &["jobs", &id(4), "changed", "outside the calendar"],
        &["jobs", &id(5), "changed", "outside the calendar"],
        &["jobs", &id(6), "left_out", "levels deep"],
        &["jobs", &id(7), "left_out", "the same job_id and is newer"],
        &["client_permissions", "a/b", "left_out", "client_id"],
        &["client_permissions", "weak", "left_out", "is not a bcrypt hash"],
        &["client_permissions", "god", "left_out", "no role"],
        &["agents", "twice", "left_out", "came before it"],
        &["agents", "long", "left_out", "queues: Longer"],
        &["queues", "qqqq", "left_out", "name: Longer"],
        &["queues", "left_out", "name is missing"],
        &["logs", &id(8), "left_out", "no such log_type"],
        &["fs.files", "holiday.jpg", "left_out"],
        &["fs.files", &format!("{}.artifact", id(8)), "left_out", "chunks are missing"],
    ] {
        assert_line(&report, words);
    }
    assert_eq!(report["collections"]["jobs"]["taken"], 4, "{report}");
    assert!(!lines(&report).iter().any(|line| line.contains("md5")), "a hash is not repeated");
    let mut found = states(&site);
    found.sort_unstable();
    assert_eq!(found, ["cancelled", "waiting", "waiting", "waiting"]);
    assert_eq!(Cli(&site.data()).clients().len(), 1);
}

/// What makes a job one that cannot be taken.
type Change<'a> = &'a dyn Fn(&mut bson::Document);

/// A document in a document, so many times.
fn deep(levels: usize) -> bson::Document {
    (0..levels).fold(doc! {}, |inner, _| doc! { "x": inner })
}

#[test]
fn bytes_that_are_not_text_are_replaced_and_named() {
    let (site, mut dump) = (Site::new(), Dump::default());
    let broken = |mut bytes: Vec<u8>| {
        let at = bytes.windows(4).position(|window| window == b"XXXX").unwrap();
        bytes[at] = 0xff;
        bytes
    };
    let mut one = job(1, "complete", 60);
    one.insert("result_data", doc! { "job_state": "complete", "test_output": "XXXX" });
    let log = doc! { "job_id": id(1), "log_type": "output", "phase": "setup", "fragment_number": 0, "log_data": "XXXX" };
    let (agent, oid) = (doc! { "name": "rack1", "queues": [], "comment": "XXXX" }, ObjectId::new());
    let named = doc! { "_id": oid, "job_id": id(2), "XXXX": 1 };
    dump.raw("agents", broken(agent.to_vec().unwrap()))
        .raw("jobs", broken(named.to_vec().unwrap()));
    dump.raw("jobs", broken(one.to_vec().unwrap())).raw("logs", broken(log.to_vec().unwrap()));
    let (code, report) = site.import(&dump, &[]);
    assert_eq!(code, 1, "{:#?}", lines(&report));
    assert_line(&report, &["jobs", &id(1), "changed", "not UTF-8"]);
    assert_line(&report, &["logs", &id(1), "changed", "not UTF-8"]);
    assert_line(&report, &["agents", "rack1", "changed", "not UTF-8"]);
    let damaged = ["jobs", &oid.to_hex(), "left_out", "the document is damaged"];
    assert_line(&report, &damaged);
    let program = Program::serve(&site.data());
    let result = program.anonymous().get(&format!("/v1/result/{}", id(1))).value();
    assert_eq!(
        (&result["test_output"], &result["setup_output"]),
        (&"\u{fffd}XXX".into(), &"\u{fffd}XXX".into())
    );
}

#[test]
fn moments_outside_the_calendar_are_left_out_and_named_wherever_they_stand() {
    let (site, mut dump) = (Site::new(), Dump::default());
    let (late, early) = (DateTime::from_millis(i64::MAX), DateTime::from_millis(i64::MIN));
    let mut one = job(1, "complete", 60);
    one.insert("started_at", late);
    one.insert(
        "result_data",
        doc! { "job_state": "complete", "at": early, "in": [{ "at": late }] },
    );
    dump.add("jobs", &one)
        .add("agents", &doc! { "name": "rack1", "queues": [], "updated_at": early })
        .add("provision_logs", &doc! { "name": "rack1", "provision_log": [{ "job_id": id(1), "exit_code": 0, "timestamp": late }] })
        .add("queues", &doc! { "name": "q", "updated_at": late })
        .add("client_permissions", &doc! { "client_id": "ci", "client_secret_hash": bcrypt::hash("x", 4).unwrap() })
        .add("refresh_tokens", &doc! { "client_id": "ci", "refresh_token": "t", "issued_at": early })
        .add("logs", &doc! { "job_id": id(1), "log_type": "output", "phase": "test", "fragment_number": 0, "log_data": "x", "timestamp": late })
        .add("output", &doc! { "job_id": id(1), "output": ["x"], "updated_at": late })
        .add("fs.files", &doc! { "_id": 1, "filename": format!("{}.artifact", id(1)), "length": 0, "chunkSize": 5, "uploadDate": early });
    let (code, report) = site.import(&dump, &[]);
    assert_eq!(code, 0, "{:#?}", lines(&report));
    for name in [
        "jobs",
        "agents",
        "provision_logs",
        "queues",
        "refresh_tokens",
        "logs",
        "output",
        "fs.files",
    ] {
        assert_line(&report, &[name, "changed", "a moment outside the calendar was left out"]);
        assert_eq!(report["collections"][name]["taken"], 1, "{report}");
    }
    let program = Program::serve(&site.data());
    let result = program.anonymous().get(&format!("/v1/result/{}", id(1))).value();
    assert_eq!(
        (&result["at"], &result["in"]),
        (&Value::Null, &serde_json::json!([{ "at": null }]))
    );
}

#[test]
fn of_two_documents_of_one_name_the_first_is_taken_and_the_second_is_named() {
    let (site, mut dump) = (Site::new(), Dump::default());
    for role in ["manager", "admin"] {
        let hash = bcrypt::hash("x", 4).unwrap();
        dump.add(
            "client_permissions",
            &doc! { "client_id": "ci", "client_secret_hash": hash, "role": role },
        )
        .add("restricted_queues", &doc! { "queue_name": "private" })
        .add("queues", &doc! { "name": "q", "description": role })
        .add("queue_wait_times", &doc! { "name": "q", "wait_times": [1] })
        .add("agents", &doc! { "name": "rack1", "queues": [], "comment": role })
        .add("provision_logs", &doc! { "name": "rack1", "provision_log": [] });
    }
    let (code, report) = site.import(&dump, &[]);
    assert_eq!(code, 1);
    for (name, id) in [
        ("client_permissions", "ci"),
        ("restricted_queues", "private"),
        ("queues", "q"),
        ("queue_wait_times", "q"),
        ("agents", "rack1"),
        ("provision_logs", "rack1"),
    ] {
        assert_line(&report, &[name, id, "left_out", "one of the same name came before it"]);
        assert_eq!(report["collections"][name]["taken"], 1, "{report}");
    }
    assert_eq!(Cli(&site.data()).clients()[0]["role"], "manager");
}

#[test]
fn documents_of_sixteen_megabytes_move_in() {
    let (site, mut dump) = (Site::new(), Dump::default());
    let text = "x".repeat((16 << 20) - 1000);
    let mut large = job(1, "complete", 60);
    large.insert("result_data", doc! { "job_state": "complete", "test_output": &text });
    dump.add("jobs", &large);
    for n in 0..4 {
        dump.add("output", &doc! { "job_id": id(n), "updated_at": ago(5), "output": [&text] });
    }
    let (code, report) = site.import(&dump, &[]);
    assert_eq!(code, 0, "{:#?}", lines(&report));
    let program = Program::serve(&site.data());
    let result = program.anonymous().get(&format!("/v1/result/{}", id(1))).value();
    assert_eq!(result["test_output"].as_str().unwrap().len(), text.len());
}
