//! The OpenAPI 3.1 document, and the shapes of what is written by hand.

mod document;
mod errors;
mod page;
mod shapes;

pub(crate) use document::document_json;
pub(crate) use errors::{
    MutationErrors, NotFoundError, QueryErrors, ReadBodyErrors, ReaderErrors, SystemProblem, UploadErrors,
};
pub(crate) use page::{STYLE, html};
pub(crate) use shapes::{
    LatestSnapshots, ProgramDuration, SeriesPoint, SessionState, SnapshotColumns, SnapshotDetail, SnapshotListEntry,
    SystemBody, SystemPage, SystemReceived, UploadBody, Uploaded,
};
