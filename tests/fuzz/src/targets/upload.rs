//! A file: what is accepted can be fetched. The input is how many bytes come together, a line with the content type, and the
//! body.

use super::lab::with_lab;
use axum::body::{Body, Bytes};
use axum::http::header::HeaderValue;
use futures_util::stream;

pub(super) fn run(input: &[u8]) {
    let Some((&piece, rest)) = input.split_first() else { return };
    let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { return };
    let Ok(kind) = HeaderValue::from_bytes(&rest[..end]) else { return };
    let pieces: Vec<_> = rest[end + 1..]
        .chunks(usize::from(piece).max(1))
        .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
        .collect();
    with_lab(|lab| {
        let path = format!("/v1/result/{}/artifact", lab.job());
        let answer = lab.send("POST", &path, &kind, Body::from_stream(stream::iter(pieces)));
        assert!(matches!(answer.status, 200 | 400 | 413), "{}", answer.status);
        let expected = if answer.status == 200 { 200 } else { 204 };
        assert_eq!(lab.get(&path).status, expected);
    });
}
