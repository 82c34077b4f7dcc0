//! The figures of all rounds, their medians and ratios.

use std::collections::BTreeMap;

use crate::process::Figures;

#[derive(Default)]
pub(crate) struct Results {
    /// For each name its rounds; one that failed is missing.
    rounds: BTreeMap<&'static str, BTreeMap<usize, Figures>>,
    pub(crate) failures: usize,
}

impl Results {
    pub(crate) fn add(&mut self, round: usize, name: &'static str, figures: Result<Figures, String>) {
        match figures {
            Ok(figures) => drop(self.rounds.entry(name).or_default().insert(round, figures)),
            Err(error) => {
                eprintln!("{name}: {error}");
                self.failures += 1;
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rounds.is_empty()
    }

    /// The median over the rounds.
    pub(crate) fn median(&self, name: &str, figure: &str) -> Option<f64> {
        median(self.rounds.get(name)?.values().filter_map(|figures| figures.get(figure).copied()))
    }

    /// The median over the rounds of `name`'s figure over that of `base` in the same round.
    pub(crate) fn ratio(&self, name: &str, base: &str, figure: &str) -> Option<f64> {
        let base = self.rounds.get(base)?;
        let of_round = |(round, figures): (&usize, &Figures)| {
            let base = base.get(round)?.get(figure)?;
            Some(figures.get(figure)? / base)
        };
        median(self.rounds.get(name)?.iter().filter_map(of_round))
    }

    /// The sum over the rounds.
    pub(crate) fn sum(&self, name: &str, figure: &str) -> Option<f64> {
        let values = self.rounds.get(name)?.values().map(|figures| figures.get(figure).copied());
        values.collect::<Option<Vec<_>>>().map(|values| values.iter().sum())
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}
