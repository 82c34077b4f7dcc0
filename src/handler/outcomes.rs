//! What an error says of each record.

use super::{EmitError, ErrorClass};

impl EmitError {
    /// Whether it says of each of so many records that it is delivered.
    pub(crate) fn delivers_all(&self, records: usize) -> bool {
        self.outcomes.len() == records && self.outcomes.iter().all(Result::is_ok)
    }

    /// Whether it says of some record that it is delivered.
    pub(crate) fn delivers_any(&self) -> bool {
        self.outcomes.iter().any(Result::is_ok)
    }

    /// The same error, where it is about `count` records of `all`, and `before` were delivered first.
    pub(crate) fn among(mut self, before: usize, count: usize, all: usize) -> Self {
        if count == all || before == 0 && self.outcomes.is_empty() {
            return self;
        }
        if self.outcomes.is_empty() {
            self.outcomes = std::iter::repeat_with(|| Err(self.of_one(count))).take(count).collect();
        } else if self.outcomes.len() != count {
            let text = format!("there are {} outcomes of {count} records", self.outcomes.len());
            self.outcomes = std::iter::repeat_with(|| Err(Self::transient(text.clone()))).take(count).collect();
        }
        let mut outcomes: Vec<_> = std::iter::repeat_with(|| Ok(())).take(before).collect();
        outcomes.append(&mut self.outcomes);
        outcomes.resize_with(all, || Err(Self::transient("not sent, as records before it failed").not_arrived()));
        self.outcomes = outcomes;
        self
    }

    /// What an error about `count` records means for one of them. Which of several is refused has to be found out.
    fn of_one(&self, count: usize) -> Self {
        let is_about_some = self.class == ErrorClass::Payload && count > 1;
        let class = if is_about_some { ErrorClass::Transient } else { self.class };
        Self { retry_after: self.retry_after, not_arrived: self.not_arrived, ..Self::new(class, self.to_string()) }
    }

    /// What became of each record, where the destination has said so. What it has said of all holds for each.
    pub(crate) fn into_outcomes(self) -> Result<Vec<Result<(), EmitError>>, Self> {
        if self.outcomes.is_empty() {
            return Err(self);
        }
        let (delay, not_arrived) = (self.retry_after, self.not_arrived);
        let inherit = |mut error: Self| {
            error.retry_after = error.retry_after.or(delay);
            error.not_arrived |= not_arrived;
            error
        };
        Ok(self.outcomes.into_iter().map(|outcome| outcome.map_err(inherit)).collect())
    }
}
