//! The published API of the Process Monitor Application.

pub(crate) mod detail;
pub(crate) mod hosts;
pub(crate) mod latest;
pub(crate) mod list;
pub(crate) mod series;
pub(crate) mod stream;
pub(crate) mod upload;

use std::sync::Arc;

use procession_store::HostNumber;

use crate::access::{HostScope, Reader};
use crate::app::App;
use crate::error::ApiError;
use crate::params::Params;

/// A host that a request names.
pub(crate) struct NamedHost {
    pub(crate) name: String,
    /// Absent where no such host has sent anything.
    pub(crate) number: Option<HostNumber>,
}

/// The host that the parameter names; `None` means all, which a key for some hosts alone may not ask for.
pub(crate) fn optional_host(
    app: &App,
    reader: &Reader,
    params: &Params,
    name: &str,
) -> Result<Option<NamedHost>, ApiError> {
    match (params.text(name), &reader.scope) {
        (Some(host), _) => named_host(app, reader, host).map(Some),
        (None, HostScope::All) => Ok(None),
        (None, HostScope::Pattern(pattern)) if !pattern.contains('*') => named_host(app, reader, pattern).map(Some),
        (None, HostScope::Pattern(_)) => Err(ApiError::field(name, "This key is for some hosts only: name one.")),
    }
}

/// The host of this name, if it may be read.
pub(crate) fn named_host(app: &App, reader: &Reader, name: &str) -> Result<NamedHost, ApiError> {
    reader.may_read(name)?;
    Ok(NamedHost { name: name.to_owned(), number: app.hosts.number(name) })
}

/// The number of the host that a required parameter names; 404 if it has never sent anything.
pub(crate) fn required_host(
    app: &App,
    reader: &Reader,
    params: &mut Params,
) -> Result<(HostNumber, Arc<str>), ApiError> {
    let name = params.required("hostname");
    params.check()?;
    let host = named_host(app, reader, &name)?;
    let number = host.number.ok_or_else(ApiError::not_found)?;
    Ok((number, name.into()))
}
