//! Dumps of a server on MongoDB, made here.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, DateTime, Document, doc};
use flate2::Compression;
use flate2::write::GzEncoder;

pub(super) const SECRET: &str = "a secret of fifteen";
pub(super) const ARTIFACT_CHUNK: usize = 1000;

/// Collections and their documents, as bytes.
#[derive(Clone, Default)]
pub(super) struct Dump(pub(super) BTreeMap<String, Vec<Vec<u8>>>);

/// So many seconds before the present moment, and not a fraction of one.
pub(super) fn ago(seconds: i64) -> DateTime {
    let now = DateTime::now().timestamp_millis() / 1000;
    DateTime::from_millis((now - seconds) * 1000)
}

/// The id of the job with this number.
pub(super) fn id(n: u32) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

pub(super) fn job(n: u32, state: &str, age: i64) -> Document {
    doc! {
        "_id": ObjectId::new(),
        "created_at": ago(age),
        "job_id": id(n),
        "job_priority": 0,
        "job_data": {
            "job_queue": "rack1",
            "tags": ["smoke", format!("n{n}")],
            "provision_data": { "distro": "noble", "depth": 1_i64, "ratio": 0.5, "none": null },
            "exclude_agents": [],
        },
        "result_data": { "job_state": state },
    }
}

impl Dump {
    pub(super) fn add(&mut self, collection: &str, document: &Document) -> &mut Self {
        self.raw(collection, document.to_vec().unwrap())
    }

    pub(super) fn raw(&mut self, collection: &str, bytes: Vec<u8>) -> &mut Self {
        self.0.entry(collection.to_owned()).or_default().push(bytes);
        self
    }

    /// A file of GridFS with its pieces.
    pub(super) fn file(&mut self, name: &str, bytes: &[u8], age: i64) -> &mut Self {
        self.pieces(name, bytes, ARTIFACT_CHUNK, age)
    }

    /// The same in pieces of this size.
    pub(super) fn pieces(&mut self, name: &str, bytes: &[u8], size: usize, age: i64) -> &mut Self {
        let file = ObjectId::new();
        self.add(
            "fs.files",
            &doc! {
                "_id": file, "filename": name, "length": i64::try_from(bytes.len()).unwrap(),
                "chunkSize": i32::try_from(size).unwrap(), "uploadDate": ago(age),
            },
        );
        for (n, piece) in bytes.chunks(size).enumerate() {
            let bytes = piece.to_vec();
            let data = Binary { subtype: BinarySubtype::Generic, bytes };
            let n = i32::try_from(n).unwrap();
            self.add(
                "fs.chunks",
                &doc! { "_id": ObjectId::new(), "files_id": file, "n": n, "data": data },
            );
        }
        self
    }

    /// Something of everything that both generations keep.
    pub(super) fn full() -> Self {
        let hash = bcrypt::hash(SECRET, 4).unwrap();
        let mut dump = Self::default();
        dump.add(
            "client_permissions",
            &doc! {
                "client_id": "ci", "client_secret_hash": &hash, "role": "manager",
                "max_priority": { "*": 5, "rack1": 7_i64 }, "max_reservation_time": { "*": 40000.0 },
                "allowed_queues": ["private"], "email": "ci@lab.example",
            },
        )
        .add("client_permissions", &doc! { "client_id": "old", "client_secret_hash": &hash, "max_priority": {} })
        .add(
            "client_permissions",
            &doc! { "client_id": "me@lab.example", "sub": "1", "name": "Me", "role": "contributor", "last_login": ago(5) },
        )
        .add("restricted_queues", &doc! { "queue_name": "private" })
        .add(
            "refresh_tokens",
            &doc! {
                "client_id": "ci", "refresh_token": "token-of-ci", "issued_at": ago(1000), "revoked": false,
                "expires_at": ago(-9000), "last_accessed": ago(10),
            },
        )
        .add(
            "refresh_tokens",
            &doc! { "client_id": "ci", "refresh_token": "expired", "expires_at": ago(5), "revoked": false },
        )
        .add(
            "agents",
            &doc! {
                "name": "agent1", "state": "test", "queues": ["rack1", "private"], "location": "lab",
                "provision_type": "noprovision", "comment": "by hand", "job_id": id(2), "log": ["one", "two"],
                "updated_at": ago(20), "provision_streak_type": "fail", "provision_streak_count": 3,
            },
        )
        .add(
            "provision_logs",
            &doc! {
                "name": "agent1", "exit_code": 1, "job_id": id(2),
                "provision_log": [
                    { "job_id": id(1), "exit_code": 0, "detail": "", "timestamp": ago(90) },
                    { "job_id": id(2), "exit_code": 1, "detail": "no", "timestamp": ago(30) },
                ],
            },
        )
        .add("queues", &doc! { "name": "rack1", "description": "a rack", "updated_at": ago(20), "images": { "noble": "url: x" } })
        .add("queues", &doc! { "name": "pictures", "images": { "a.b": "url: y" } })
        .add("queue_wait_times", &doc! { "name": "rack1", "wait_times": [0, 2, 2_i64] });
        dump.jobs();
        dump.add("device_codes", &doc! { "device_code": "x" }).add(
            "secrets.ci",
            &doc! { "key": "wifi/password", "value": "?", "updated_at": ago(5) },
        );
        dump
    }

    fn jobs(&mut self) {
        let mut old = job(1, "complete", 500);
        old.insert("started_at", ago(400));
        old.insert("result_data", doc! {
            "job_state": "complete", "test_status": 0, "test_output": "x".repeat(200_000), "device_info": { "ip": "::1" },
        });
        let mut running = job(2, "test", 300);
        running.insert("started_at", ago(200));
        running.insert(
            "result_data",
            doc! { "job_state": "test", "status": { "setup": 0, "provision": 1 } },
        );
        let mut waiting = job(3, "waiting", 100);
        waiting.insert("job_priority", 3_i64);
        let mut attached = job(4, "waiting", 90);
        attached.get_document_mut("job_data").unwrap().extend(doc! {
            "test_data": { "test_cmds": "true", "attachments": [{ "agent": "a" }] }, "attachments_status": "waiting",
        });
        let mut secret = job(5, "waiting", 80);
        secret.get_document_mut("job_data").unwrap().extend(doc! {
            "client_id": "ci", "test_data": { "secrets": { "TOKEN": "wifi/password" } },
        });
        let cancelled = job(6, "cancelled", 70);
        for job in [old, running, waiting, attached, secret, cancelled] {
            self.add("jobs", &job);
        }
        for n in 0..3 {
            self.add("logs", &doc! {
                "job_id": id(2), "log_type": "output", "phase": "test", "fragment_number": n, "timestamp": ago(100),
                "log_data": format!("line {n}\n"), "updated_at": ago(100),
            });
        }
        self.add(
            "output",
            &doc! { "job_id": id(1), "updated_at": ago(60), "output": ["unread", "text"] },
        )
        .add(
            "serial_output",
            &doc! { "job_id": id(1), "updated_at": ago(60), "serial_output": ["boot"] },
        )
        .file(&format!("{}.artifact", id(1)), &artifact(), 50)
        .file(&format!("{}.attachments", id(2)), b"archive", 250)
        .file(&format!("{}.artifact", id(6)), b"", 60);
    }

    /// Writes it as mongodump does.
    pub(super) fn directory(&self, path: &Path, compressed: bool) {
        let folder = path.join("testflinger_db");
        std::fs::create_dir_all(&folder).unwrap();
        for (name, documents) in &self.0 {
            let end = if compressed { ".bson.gz" } else { ".bson" };
            let bytes = documents.concat();
            let bytes = if compressed { gzip(&bytes) } else { bytes };
            std::fs::write(folder.join(format!("{name}{end}")), bytes).unwrap();
            std::fs::write(folder.join(format!("{name}.metadata.json")), "{}").unwrap();
        }
    }

    /// The same in one file. The collections take turns, a document each.
    pub(super) fn archive(&self) -> Vec<u8> {
        const END: [u8; 4] = [0xff; 4];
        let mut out = 0x8199_e26d_u32.to_le_bytes().to_vec();
        let mut write = |document: Document| out.extend(document.to_vec().unwrap());
        write(
            doc! { "concurrent_collections": 4, "version": "0.1", "server_version": "6", "tool_version": "100" },
        );
        for name in self.0.keys() {
            write(
                doc! { "db": "testflinger_db", "collection": name, "metadata": "{}", "size": 0, "type": "collection" },
            );
        }
        out.extend(END);
        let most = self.0.values().map(Vec::len).max().unwrap_or(0);
        for turn in 0..=most {
            for (name, documents) in &self.0 {
                let head = doc! { "db": "testflinger_db", "collection": name };
                if let Some(document) = documents.get(turn) {
                    let mut head = head;
                    head.extend(doc! { "EOF": false, "CRC": 0_i64 });
                    out.extend(head.to_vec().unwrap());
                    out.extend(document);
                    out.extend(END);
                } else if documents.len() == turn {
                    let mut head = head;
                    head.extend(
                        doc! { "EOF": true, "CRC": crc(&documents.concat()).cast_signed() },
                    );
                    out.extend(head.to_vec().unwrap());
                    out.extend(END);
                }
            }
        }
        out
    }
}

/// What job 1 left behind: some pieces, the last of which is short.
pub(super) fn artifact() -> Vec<u8> {
    (0..ARTIFACT_CHUNK * 3 + 7).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// CRC-64/XZ, a bit at a time.
fn crc(bytes: &[u8]) -> u64 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u64::from(*byte), |sum, _| {
            if sum & 1 == 1 { (sum >> 1) ^ 0xC96C_5795_D787_0F42 } else { sum >> 1 }
        })
    })
}
