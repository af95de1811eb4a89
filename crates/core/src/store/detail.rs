//! What a screen shows of the history: a page of the list, and one run without its samples.

use serde::{Deserialize, Serialize, Serializer};

use super::{Filter, ListOrder, RunId, RunRow, SortBy, Store, StoreError};
use crate::live::{scope, ttft_median_ms};
use crate::report::Report;

/// Most runs of one page.
const MAX_PAGE: u32 = 10_000;

/// Which page of the list is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct RunQuery {
    /// Text within name, model, quantization or chip; `None` and white space let all through.
    pub text: Option<String>,
    /// Only simulated runs, or only measured ones.
    pub simulated: Option<bool>,
    /// What to sort by.
    pub by: SortBy,
    /// Oldest or lowest first.
    pub ascending: bool,
    /// Most runs of this page; at most 10,000 are given.
    pub limit: u32,
    /// Runs to pass over.
    pub offset: u32,
}

/// A page of the list.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct RunList {
    /// The runs, in order.
    pub rows: Vec<RunRow>,
    /// How many runs match, on all pages.
    pub total: u32,
}

/// One run, without its samples: they are many, and go to a screen as columns ([`crate::sample_columns`]).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct RunDetail {
    /// Its row of the list.
    pub row: RunRow,
    /// Its report; the member `samples` is left out.
    #[serde(serialize_with = "without_samples")]
    #[cfg_attr(feature = "typescript", ts(type = "Omit<Report, \"samples\">"))]
    pub report: Report,
    /// How many samples it has.
    pub sample_count: u32,
    /// Rails that are counted, `GPU + CPU + ANE`.
    pub scope: String,
    /// Median time to the first token of the whole answers, in milliseconds; `None` without one.
    pub ttft_median_ms: Option<f64>,
}

fn without_samples<S: Serializer>(report: &Report, serializer: S) -> Result<S::Ok, S::Error> {
    let mut value = serde_json::to_value(report).map_err(serde::ser::Error::custom)?;
    if let Some(members) = value.as_object_mut() {
        members.remove("samples");
    }
    value.serialize(serializer)
}

impl Store {
    /// A page of the list, with the number of all runs that match.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn page(&self, query: &RunQuery) -> Result<RunList, StoreError> {
        let text = query.text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let filter = Filter { text, model: None, simulated: query.simulated };
        let order = ListOrder { by: query.by, ascending: query.ascending };
        let rows = self.list(&filter, order, query.limit.min(MAX_PAGE), query.offset)?;
        Ok(RunList { rows, total: self.count(&filter)? })
    }

    /// One run as a screen shows it. Checked as [`Store::get`] checks it.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`], [`StoreError::Damaged`], [`StoreError::Read`].
    pub fn detail(&self, id: RunId) -> Result<RunDetail, StoreError> {
        let row = self.row(id)?.ok_or(StoreError::NoSuchRun { id })?;
        let mut report = self.get(id)?;
        let samples = std::mem::take(&mut report.samples);
        Ok(RunDetail {
            row,
            scope: scope(&report),
            ttft_median_ms: ttft_median_ms(&report),
            sample_count: u32::try_from(samples.len()).unwrap_or(u32::MAX),
            report,
        })
    }

    /// Deletes several runs. Each is deleted or not for itself; the first that can't be is told after the others are gone.
    /// One that is gone already is no error.
    ///
    /// # Errors
    /// As [`Store::delete`], without [`StoreError::NoSuchRun`].
    pub fn delete_all(&self, ids: &[RunId]) -> Result<(), StoreError> {
        let mut failed = None;
        for id in ids {
            match self.delete(*id) {
                Ok(()) | Err(StoreError::NoSuchRun { .. }) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(()), Err)
    }
}
