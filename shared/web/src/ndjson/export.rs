//! Exports in the format the caller asks for: ndjson, or csv (RFC 4180) with a line of names first.

use std::convert::Infallible;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::ACCEPT;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use bytes::Bytes;
use csv::WriterBuilder;
use futures_util::Stream;
use futures_util::stream::{self, StreamExt};
use serde::Serialize;

use super::{NDJSON, export, outgoing};
use crate::Failure;

/// The media type of csv, with the line of names that comes first.
const CSV: &str = "text/csv; charset=utf-8; header=present";

/// The format of an export: whichever of the two the `Accept` header names first, and ndjson where it names neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A JSON object per line.
    #[default]
    Ndjson,
    /// A record per line.
    Csv,
}

impl Format {
    fn of(request: &HttpRequest) -> Self {
        let headers = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
        let mut named = headers.flat_map(|value| value.split(',')).filter_map(|range| {
            let media_type = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            match media_type.as_str() {
                "text/csv" => Some(Self::Csv),
                NDJSON | "application/ndjson" | "application/jsonl" | "application/json" => Some(Self::Ndjson),
                _ => None,
            }
        });
        named.next().unwrap_or_default()
    }
}

impl FromRequest for Format {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

/// An export of flat items in a format: page by page as it is read, each when the client has taken the one before.
/// `columns` are the names of the items' fields, in their order.
pub fn export_as<T, S>(format: Format, columns: &'static [&'static str], pages: S) -> HttpResponse
where
    T: Serialize + 'static,
    S: Stream<Item = Result<Vec<T>, Failure>> + 'static,
{
    if format == Format::Ndjson {
        return export(pages);
    }
    let names = stream::once(async move { records(&[columns]) });
    outgoing::stream(CSV, names.chain(pages.map(|page| page.and_then(|items| records(&items)))))
}

fn records<T: Serialize>(items: &[T]) -> Result<Bytes, Failure> {
    let mut writer = WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for item in items {
        writer.serialize(item).map_err(Failure::internal)?;
    }
    Ok(writer.into_inner().map_err(Failure::internal)?.into())
}
