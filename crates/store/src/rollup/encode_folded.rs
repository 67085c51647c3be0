//! What is folded together: short-lived processes of one step, by name, user and parent.

use std::sync::Arc;

use procession_codec::DecodeError;
use procession_codec::block::{ColumnReader, ColumnWriter};
use procession_codec::numbers::{unzigzag, zigzag};
use procession_model::Identity;

use super::columns::{SeriesReader, SeriesWriter, get_count};
use super::encode::{Strings, optional_string, string};
use super::encode_cells::{Place, Run, get_cells, put_cells};
use super::encode_rows::Parents;
use super::{Folded, FoldedKey, Rollup, Row};

/// The most folded entries of a rollup.
const FOLDED_MAX: usize = 1 << 21;
/// How many lists they are beside plain columns.
const LISTS: usize = 4;

pub(super) fn put_folded(columns: &mut ColumnWriter, strings: &mut Strings, rollup: &Rollup) {
    let folded = &rollup.folded;
    columns.put(&[folded.len() as u64]);
    let parents = Parents::of(&rollup.rows);
    let start = |folded: &Folded| Rollup::start_of(rollup.step_ms, rollup.steps[folded.step].number);
    let mut before = 0;
    let distance = |folded: &Folded| (folded.step - std::mem::replace(&mut before, folded.step)) as u64;
    columns.put(&folded.iter().map(distance).collect::<Vec<_>>());
    let names: Vec<u64> = folded.iter().map(|folded| strings.number(&folded.key.name)).collect();
    let users: Vec<u64> = folded.iter().map(|folded| strings.optional(folded.key.user.as_ref())).collect();
    columns.put(&names);
    columns.put(&users);
    let mut put = |value: &dyn Fn(&Folded) -> u64| {
        columns.put(&folded.iter().map(value).collect::<Vec<_>>());
    };
    put(&|folded| parents.number(folded.key.parent));
    put(&|folded| u64::from(folded.key.began_before));
    put(&|folded| folded.count);
    let mut series = SeriesWriter::default();
    let mut ways = |value: &dyn Fn(&Folded) -> i64| series.add_ways(folded.iter().map(value).map(zigzag));
    ways(&|folded| folded.first.since_ms(start(folded)));
    ways(&|folded| folded.last.since_ms(folded.first));
    ways(&|folded| folded.alive_ms.cast_signed());
    ways(&|folded| folded.extra_tenths.cast_signed());
    series.finish(columns);
    put_cells(columns, &rollup.steps, &folded.iter().map(run_of).collect::<Vec<_>>());
}

fn run_of(folded: &Folded) -> Run<'_> {
    Run { first_step: folded.step, cells: std::slice::from_ref(&folded.cell), samples: Some(folded.count) }
}

/// Reads what [`put_folded`] wrote, as far as it is wanted. `rollup` has its steps and rows.
pub(super) fn get_folded(
    columns: &mut ColumnReader<'_>,
    strings: &[Arc<str>],
    rollup: &Rollup,
    wanted: &dyn Fn(&str, Option<&str>) -> bool,
) -> Result<Vec<Folded>, DecodeError> {
    const INVALID: DecodeError = DecodeError::Invalid("a folded entry");
    let count = get_count(columns, FOLDED_MAX, "folded entries")?;
    let mut get = || columns.get(count);
    let (distances, names, users, parents) = (get()?, get()?, get()?, get()?);
    let (began_before, counts) = (get()?, get()?);
    let mut series = SeriesReader::get(columns, LISTS)?;
    let lists: Vec<Vec<u64>> = (0..LISTS).map(|_| series.next_ways(columns, count)).collect::<Result<_, _>>()?;
    let identity = |row: &Row| row.description.identity;
    let identities: Vec<Identity> = rollup.rows.iter().map(identity).collect();
    let mut folded = Vec::with_capacity(count);
    let mut places = Vec::with_capacity(count);
    let mut step = 0_usize;
    for index in 0..count {
        let next = usize::try_from(distances[index]).ok().and_then(|distance| step.checked_add(distance));
        step = next.filter(|step| *step < rollup.steps.len()).ok_or(INVALID)?;
        let key = FoldedKey {
            name: string(strings, names[index])?,
            user: optional_string(strings, users[index])?,
            parent: Parents::parent(parents[index], &identities)?,
            began_before: began_before[index] != 0,
        };
        let is_wanted = wanted(&key.name, key.user.as_deref());
        places.push(Place { first_step: step, len: 1, samples: Some(counts[index]), is_wanted });
        let list = |list: usize| unzigzag(lists[list][index]);
        let first = Rollup::start_of(rollup.step_ms, rollup.steps[step].number).plus_ms(list(0));
        folded.push(Folded {
            step,
            key,
            count: counts[index],
            first,
            last: first.plus_ms(list(1)),
            alive_ms: list(2).cast_unsigned(),
            extra_tenths: list(3).cast_unsigned(),
            cell: super::Cell::default(),
        });
    }
    let cells = get_cells(columns, &rollup.steps, &places)?;
    let filled = folded.into_iter().zip(cells).filter_map(|(folded, cells)| {
        let cell = *cells.first()?;
        Some(Folded { cell, ..folded })
    });
    Ok(filled.collect())
}
