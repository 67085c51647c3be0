//! Long JSON arrays, written part by part while they are sent, so that no answer is ever whole in memory.

use std::future::Future;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use procession_store::StoreError;

use crate::error::json_response;

/// Some items of an array.
#[derive(Default)]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
}

impl Chunk {
    /// Where the next item is to be appended.
    pub(crate) fn next_item(&mut self) -> &mut Vec<u8> {
        self.bytes.push(b',');
        &mut self.bytes
    }
}

/// An answer that is an array. `next` gives the items from a place on, and the place after them, until there is none.
/// When it fails in the middle the connection is cut: half an answer must not look like a whole one.
pub(crate) fn array<P, F, N>(start: Option<P>, mut next: N) -> Response
where
    P: Send + 'static,
    F: Future<Output = Result<(Chunk, Option<P>), StoreError>> + Send + 'static,
    N: FnMut(P) -> F + Send + 'static,
{
    // What is still to come: a place, and whether nothing was written yet. `None` after the closing bracket.
    let parts = stream::unfold(Some((start, true)), move |state| {
        let pending = state.map(|(place, first)| (place.map(&mut next), first));
        async move {
            let (items, first) = pending?;
            let (chunk, place) = match items {
                None => (Chunk::default(), None),
                Some(items) => match items.await {
                    Ok(items) => items,
                    Err(error) => {
                        tracing::error!(cause = ?error.to_string(), "an answer was cut off");
                        return Some((Err(std::io::Error::other("the store failed")), None));
                    }
                },
            };
            let (bytes, first) = bracketed(chunk.bytes, first, place.is_none());
            Some((Ok(Bytes::from(bytes)), place.map(|place| (Some(place), first))))
        }
    });
    // Compression asks once more after the end.
    json_response(StatusCode::OK, Body::from_stream(parts.fuse()))
}

/// Opens the array at its first item, or at its end if it has none, and closes it at its end. Also says whether there is
/// still nothing of it.
fn bracketed(mut bytes: Vec<u8>, first: bool, last: bool) -> (Vec<u8>, bool) {
    let nothing_yet = first && bytes.is_empty();
    if nothing_yet && last {
        bytes.push(b'[');
    } else if first && let Some(comma) = bytes.first_mut() {
        *comma = b'[';
    }
    if last {
        bytes.push(b']');
    }
    (bytes, nothing_yet)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn text_of(chunks: Vec<Vec<u32>>) -> String {
        let start = (!chunks.is_empty()).then_some(0);
        let response = array(start, move |place: usize| {
            let (items, more) = (chunks[place].clone(), place + 1 < chunks.len());
            async move {
                let mut chunk = Chunk::default();
                items.iter().for_each(|item| crate::json_text::value(chunk.next_item(), item));
                Ok((chunk, more.then_some(place + 1)))
            }
        });
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn arrays_are_whole_whatever_their_parts() {
        assert_eq!(text_of(vec![]).await, "[]");
        assert_eq!(text_of(vec![vec![]]).await, "[]");
        assert_eq!(text_of(vec![vec![], vec![1, 2], vec![], vec![3]]).await, "[1,2,3]");
        assert_eq!(text_of(vec![vec![1], vec![], vec![]]).await, "[1]");
    }

    #[tokio::test]
    async fn a_failure_cuts_the_answer_off() {
        let response = array(Some(()), |()| async { Err(StoreError::DiskFull) });
        assert!(response.into_body().collect().await.is_err());
    }
}
