use crate::support::{BOUNDARY, Connection, Program, ZERO, part_head};

const MIB: usize = 1 << 20;

/// The peak memory of the program so far, KiB.
pub(super) fn peak(program: &Program) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Uploads and downloads a file of this size and says by how many KiB the peak grew.
fn grown_by(megabytes: usize) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let program = Program::serve(dir.path());
    assert_eq!(program.anonymous().get("/v1").status, 200);
    let before = peak(&program);
    let path = format!("/v1/result/{ZERO}/artifact");
    let (head, tail) = (part_head("file"), format!("\r\n--{BOUNDARY}--\r\n"));
    let length = head.len() + megabytes * MIB + tail.len();
    let mut connection = Connection::open(&program.url);
    connection.begin_upload(&path, &format!("Content-Length: {length}"));
    connection.send(head.as_bytes());
    let piece = vec![7; MIB];
    for _ in 0..megabytes {
        connection.send(&piece);
    }
    connection.send(tail.as_bytes());
    assert_eq!(connection.answer(), (200, "OK".to_owned()));
    let artifact = program.anonymous().send("HEAD", &path, b"");
    assert_eq!(artifact.header("content-length"), Some((megabytes * MIB).to_string().as_str()));
    let after = peak(&program);
    println!("{megabytes} MiB uploaded: the peak grew from {before} KiB to {after} KiB");
    after - before
}

#[test]
fn an_upload_of_256_mib_does_not_pass_through_memory() {
    assert!(grown_by(256) < 16 * 1024);
}

#[test]
#[ignore = "writes 2 GiB"]
fn an_upload_of_2_gib_does_not_pass_through_memory() {
    assert!(grown_by(2048) < 16 * 1024);
}
