//! Use cases whose calls are counted before the work: admit, act, settle.

use crate::caller::Caller;
use crate::failure::{Reason, UseCaseError};
use crate::limits::{Admission, Attempt, LimitError};

/// A use case whose calls are counted.
pub trait Counted: Send + Sync + 'static {
    /// Input of the use case.
    type Input: Send + Sync + 'static;
    /// Outcome of the use case.
    type Output: Send + 'static;
    /// Reason why the use case may refuse an admitted call.
    type Reason: Reason + Send;

    /// Returns what the call is counted as. Parallel guesses cannot exceed a limit, because they are
    /// counted before the work.
    fn attempts(&self, input: &Self::Input, caller: &Caller) -> Vec<Attempt>;

    /// Counts one attempt.
    fn count(&self, attempt: &Attempt) -> Result<Admission, LimitError>;

    /// Does the work of an admitted call.
    fn act(
        &self,
        input: &Self::Input,
        caller: &Caller,
        admission: &Admission,
    ) -> Result<Self::Output, UseCaseError<Self::Reason>>;

    /// Executes an admitted call, and keeps or refunds its charges.
    fn execute(
        &self,
        input: &Self::Input,
        caller: &Caller,
        admission: Admission,
    ) -> Result<Self::Output, UseCaseError<Self::Reason>> {
        let outcome = self.act(input, caller, &admission);
        admission.settle(&outcome);
        outcome
    }

    /// Counts and executes a call.
    fn run(&self, input: &Self::Input, caller: &Caller) -> Result<Self::Output, UseCaseError<Self::Reason>> {
        let mut admission = Admission::default();
        for attempt in self.attempts(input, caller) {
            admission = admission.and(self.count(&attempt)?);
        }
        self.execute(input, caller, admission)
    }
}
