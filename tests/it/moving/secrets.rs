//! Secrets that a server on MongoDB encrypted.

use std::os::unix::fs::PermissionsExt;

use aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Document, doc};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha512;

use super::dump::{Dump, SECRET, ago};
use super::{Site, assert_line, lines};
use crate::binary::cli::Cli;
use crate::support::{Program, run};

const DATA_KEY: [u8; 96] = [7; 96];
const KEY_ID: [u8; 16] = [9; 16];
const LOCAL: &str = "local";

fn master_key() -> [u8; 96] {
    std::array::from_fn(|n| u8::try_from((n * 7 + 3) % 256).unwrap())
}

/// As a driver encrypts: with the tag of `head` and the ciphertext behind it.
fn seal(key: &[u8; 96], head: &[u8], text: &[u8]) -> Vec<u8> {
    let iv = [5; 16];
    let cipher = cbc::Encryptor::<Aes256>::new_from_slices(&key[32..64], &iv).unwrap();
    let mut padded = text.to_vec();
    padded.resize(text.len() + 16, 0);
    let sealed = cipher.encrypt_padded::<Pkcs7>(&mut padded, text.len()).unwrap();
    let body = [&iv[..], sealed].concat();
    let mut mac = Hmac::<Sha512>::new_from_slice(&key[..32]).unwrap();
    mac.update(&[head, &body, &(head.len() as u64 * 8).to_be_bytes()].concat());
    [&body, &mac.finalize().into_bytes()[..32]].concat()
}

fn encrypted(bytes: Vec<u8>) -> Binary {
    Binary { subtype: BinarySubtype::Encrypted, bytes }
}

/// A value as the Python server encrypts it: bytes, at random.
fn value(text: &[u8]) -> Binary {
    let head = [&[2][..], &KEY_ID, &[5]].concat();
    let size = i32::try_from(text.len()).unwrap().to_le_bytes();
    let sealed = seal(&DATA_KEY, &head, &[&size[..], &[0], text].concat());
    encrypted([head, sealed].concat())
}

fn data_key(provider: &str, id: [u8; 16]) -> Document {
    let sealed = seal(&master_key(), &[], &DATA_KEY);
    doc! {
        "_id": Binary { subtype: BinarySubtype::Uuid, bytes: id.to_vec() },
        "keyAltNames": ["testflinger-secrets"],
        "keyMaterial": Binary { subtype: BinarySubtype::Generic, bytes: sealed },
        "masterKey": { "provider": provider },
    }
}

fn secret(path: &str, value: Binary) -> Document {
    doc! { "_id": ObjectId::new(), "key": path, "value": value, "updated_at": ago(50), "ephemeral": false }
}

/// Clients `ci` and `me@lab.example`, who log in with [`SECRET`].
fn clients() -> Dump {
    let mut dump = Dump::default();
    let hash = bcrypt::hash(SECRET, 4).unwrap();
    for id in ["ci", "me@lab.example"] {
        dump.add("client_permissions", &doc! { "client_id": id, "client_secret_hash": &hash });
    }
    dump
}

impl Site {
    /// Writes the key vault into a folder of its own below this one.
    fn key_vault(&self, folder: &str, keys: &[Document]) {
        let folder = self.path(folder).join("encryption");
        std::fs::create_dir_all(&folder).unwrap();
        let keys: Vec<u8> = keys.iter().flat_map(|key| key.to_vec().unwrap()).collect();
        std::fs::write(folder.join("__keyVault.bson"), keys).unwrap();
    }

    /// The path of a file with this master key.
    fn master_key(&self, key: &[u8]) -> String {
        let path = self.path("master");
        std::fs::write(&path, STANDARD.encode(key) + "\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Imports a dump that has a key vault beside it, with the master key.
    fn import_secrets(&self, dump: &Dump) -> (i32, Value) {
        let (path, key) = (self.path("dump"), self.master_key(&master_key()));
        let _ = std::fs::remove_dir_all(&path);
        dump.directory(&path, false);
        self.key_vault("dump", &[data_key(LOCAL, KEY_ID), data_key("aws", [8; 16])]);
        self.import_from(&path, &["--master-key-file", &key])
    }

    fn secrets(&self) -> Vec<String> {
        let listed = Cli(&self.data()).ok(&["secret-admin", "list", "--json"]);
        let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
        let name = |row: &Value| format!("{}:{}", row["client_id"], row["path"]).replace('"', "");
        listed.iter().map(name).collect()
    }

    /// What an agent gets for a job of this client that uses these secrets.
    fn handed_out(&self, client: &str, paths: &[&str]) -> Value {
        let cli = Cli(&self.data());
        cli.run(&["client-admin", "delete", "agent"]);
        cli.create("agent", &["--role", "agent"]);
        let program = Program::serve(&self.data());
        let bearer = |id: &str, secret: &str| {
            let login = program.log_in(id, secret).value();
            let token = login["access_token"].as_str().unwrap().to_owned();
            program.anonymous().header("Authorization", &format!("Bearer {token}"))
        };
        let named: serde_json::Map<_, _> =
            paths.iter().enumerate().map(|(n, path)| (format!("V{n}"), json!(path))).collect();
        let job = json!({ "job_queue": "q", "test_data": { "secrets": named } });
        let answer = bearer(client, SECRET).post("/v1/job", &job);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let agent = bearer("agent", crate::support::auth::SECRET);
        let cookie = format!("agent_name=rack{}", client.len());
        let job = agent.header("Cookie", &cookie).get("/v1/job?queue=q").value();
        drop(program.stop());
        job["test_data"]["secrets"].clone()
    }
}

#[test]
fn secrets_move_in_with_the_master_key_and_agents_get_their_values() {
    let (site, mut dump) = (Site::new(), clients());
    let mut once = secret("once", value(b"only once"));
    once.insert("ephemeral", true);
    let mut ends = secret("ends", value(b"for a while"));
    ends.insert("expire_at", ago(-5000));
    let mut ended = secret("ended", value(b"too late"));
    ended.insert("expire_at", ago(5));
    dump.add("secrets.ci", &secret("wifi/password", value("hunter22\n\"é".as_bytes())))
        .add("secrets.ci", &once)
        .add("secrets.ci", &ends)
        .add("secrets.ci", &ended)
        .add("secrets.me_at_lab_dot_example", &secret("mine", value(b"of me")));
    let (code, report) = site.import_secrets(&dump);
    assert_eq!(code, 0, "{:#?}", lines(&report));
    assert_eq!(report["collections"]["secrets.ci"]["taken"], 3, "{report}");
    assert_line(&report, &["secrets.ci", "skipped", "1: they have expired"]);
    let all = ["ci:ends", "ci:once", "ci:wifi/password", "me@lab.example:mine"];
    assert_eq!(site.secrets(), all);
    let got = site.handed_out("ci", &["wifi/password", "ends", "once"]);
    assert_eq!(got, json!({ "V0": "hunter22\n\"é", "V1": "for a while", "V2": "only once" }));
    assert_eq!(site.handed_out("me@lab.example", &["mine"]), json!({ "V0": "of me" }));
    Cli(&site.data()).ok(&["secret-admin", "delete", "ci", "ends"]);
    Cli(&site.data()).ok(&["check"]);

    // What was deleted or used up here does not come back.
    let (code, report) = site.import_secrets(&dump);
    assert_eq!(code, 0, "{:#?}", lines(&report));
    assert_line(&report, &["secrets.ci", "kept", "2: they were deleted or used up here"]);
    assert_eq!(site.secrets(), ["ci:wifi/password", "me@lab.example:mine"]);
    let bytes = std::fs::read(site.data().join("testflinger.redb")).unwrap();
    assert!(!bytes.windows(8).any(|window| window == b"hunter22"));
}

#[test]
fn values_that_mongodb_s_own_library_encrypted_are_read() {
    // libmongocrypt made these, by way of pymongocrypt 1.21: bytes and a string at random, and bytes deterministically.
    const VAULT: &str = "WAEAAAVfaWQAEAAAAAQJI/aDdIdOzJVE5dyn+tPzBGtleUFsdE5hbWVzACAAAAACMAAUAAAAdGVzdGZsaW5nZXItc2VjcmV0cwAABWtleU1hdGVyaWFsAKAAAAAAlLAw9GxBwwnpkGyTRexELrn0iKVth3APbYczuiZtiX3oq6orG/L49Vi6GuisA4LtGusRMAhzl1/RbDta3kdGQDwXnaw+hQsGJvTuL2MUFkVBW+rTPgblK4hVUjqe95fv2NqhA8EcmBWsJedIhTZsqO1vFTf96NfLXVknWl1805DrdOhsyNZFNLcrT32SNnRGL1InliGK6tGXxE6rZ9nOxQljcmVhdGlvbkRhdGUAtijrFaIBAAAJdXBkYXRlRGF0ZQC2KOsVogEAABBzdGF0dXMAAAAAAANtYXN0ZXJLZXkAGQAAAAJwcm92aWRlcgAGAAAAbG9jYWwAAAA=";
    let values = [
        "Agkj9oN0h07MlUTl3Kf60/MFEcb+eqAWdGiybD8uxEztQ84Xyist+GpCtekIAABcPR4SJS4WGrlrMvc/uKl1NmWtEI/UgdYY51uOb0kg15KKimy+ajCuFHbA6N/NS+jjnwA=",
        "Agkj9oN0h07MlUTl3Kf60/MCM6Pzrrxmmsgu/ePHJHaY4EzyeC4mLW7xj9nExhwe2lFsbPeK93rbxs2Crsi6pfmL8AdAr7gMm663oxX9GYZXsQ==",
        "AQkj9oN0h07MlUTl3Kf60/MFBIF4ofnINnnUfhgkujgfAKsZLX+RFeMSYd96mmpKRk20M2IerJxXhjDB1+9BWWfagyhb6H7e7mT5BjPSzXowUtWK07kQCyQ84AUDx71CYKI=",
    ];
    let (site, mut dump) = (Site::new(), clients());
    for (n, value) in values.into_iter().enumerate() {
        let value = encrypted(STANDARD.decode(value).unwrap());
        dump.add("secrets.ci", &secret(&format!("s{n}"), value));
    }
    dump.directory(&site.path("dump"), false);
    // The key vault may be another MongoDB, with a dump of its own.
    let key = STANDARD.decode(VAULT).unwrap();
    site.key_vault("vault", &[Document::from_reader(&key[..]).unwrap()]);
    let (dump, vault, key) =
        (site.path("dump"), site.path("vault"), site.master_key(&master_key()));
    let (code, report) = site.import_from(&dump, &["--master-key-file", &key]);
    assert_eq!(code, 1);
    assert_line(&report, &["secrets.ci", "s0", "left_out", "--key-vault"]);
    let vault = vault.to_str().unwrap();
    let more = ["--master-key-file", &key, "--key-vault", vault];
    let (code, report) = site.import_from(&dump, &more);
    assert_eq!(code, 0, "{:#?}", lines(&report));
    let got = site.handed_out("ci", &["s0", "s1", "s2"]);
    assert_eq!(got, json!({ "V0": "s3cret-Pa55word", "V1": "text", "V2": "x".repeat(16) }));
}

#[test]
fn a_secret_that_cannot_be_opened_is_named_with_the_reason() {
    let (site, mut dump) = (Site::new(), clients());
    let changed = |at: usize, to: u8| {
        let mut value = value(b"hush-hush");
        value.bytes[at] ^= to;
        value
    };
    let short = encrypted(vec![2; 10]);
    let mut of_aws = value(b"hush-hush");
    of_aws.bytes[1..17].fill(8);
    let large = "x".repeat(64 * 1024 + 1);
    for (path, value) in [
        ("damaged", changed(60, 1)),
        ("cut", short),
        ("form", changed(0, 4)),
        ("key", changed(1, 1)),
        ("aws", of_aws),
        ("type", changed(17, 1)),
        ("latin", value(b"\xff\xfe")),
        ("empty", value(b"")),
        ("large", value(large.as_bytes())),
        ("a b", value(b"hush-hush")),
        ("good", value(b"hush-hush")),
        ("good", value(b"hush-hush")),
    ] {
        dump.add("secrets.ci", &secret(path, value));
    }
    dump.add("secrets.gone", &secret("gone", value(b"hush-hush")));
    let (code, report) = site.import_secrets(&dump);
    assert_eq!(code, 1);
    for (id, why) in [
        ("damaged", "its value is damaged"),
        ("cut", "its value is damaged"),
        ("form", "not encrypted in a known form"),
        ("key", "its data key is not in the dump"),
        ("aws", "its data key is kept by \"aws\""),
        ("type", "its value is damaged"),
        ("latin", "its value is not text"),
        ("empty", "empty or longer"),
        ("large", "empty or longer"),
        ("a b", "key: "),
        ("ci/good", "came before it"),
        ("gone", "no client of this name"),
    ] {
        assert_line(&report, &[id, "left_out", why]);
    }
    assert_eq!(site.secrets(), ["ci:good"]);
    assert!(!report.to_string().contains("hush"));
}

#[test]
fn a_wrong_master_key_is_said_of_each_secret_and_one_that_is_none_before_anything_is_read() {
    let (site, mut dump) = (Site::new(), clients());
    dump.add("secrets.ci", &secret("a", value(b"hush-hush")));
    dump.directory(&site.path("dump"), false);
    site.key_vault("dump", &[data_key(LOCAL, KEY_ID)]);
    let wrong = site.master_key(&[1; 96]);
    let (code, report) = site.import_from(&site.path("dump"), &["--master-key-file", &wrong]);
    assert_eq!(code, 1);
    assert_line(&report, &["secrets.ci", "a", "left_out", "master key is not the one"]);
    let dump = site.path("dump");
    let args = ["import", "mongodb", dump.to_str().unwrap()];
    for (bytes, why) in [(&[1; 95][..], "95 bytes instead of 96"), (&[], "is empty")] {
        let key = site.master_key(bytes);
        let said = Cli(&site.data()).fails(2, &[&args[..], &["--master-key-file", &key]].concat());
        assert!(said.contains(why) && !said.contains("AQEB"), "{said}");
    }
    let said = Cli(&site.data()).fails(2, &[&args[..], &["--key-vault", "x"]].concat());
    assert!(said.contains("--master-key-file"), "{said}");

    // The old server was given it by this variable.
    let (data, key) = (site.data(), STANDARD.encode(master_key()));
    let args = [&args[..], &["--data-dir", data.to_str().unwrap()]].concat();
    let output = run(&args, &[("TESTFLINGER_SECRETS_MASTER_KEY", &key)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(site.secrets(), ["ci:a"]);
}
