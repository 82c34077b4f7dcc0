//! The texts of a record, in storage that travels with it.

use arrayvec::ArrayString;

/// Bytes of text that are kept inside the record: enough for the message, the target and the thread's name of most.
///
/// An allocation of its own for each would be made on the caller's thread and freed on the listener's, which costs the
/// caller more than formatting the message.
const INLINE: usize = 76;

/// What a record's text consists of, in this order. A part that the record does not have is empty.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Message,
    ThreadName,
    Target,
    ModulePath,
    File,
    Pairs,
    /// The kinds and lengths of the pairs' keys and values.
    Index,
}

/// How many parts there are before the last, which ends where the text does.
const ENDS: usize = Part::Index as usize;

/// Where each part ends, but for the last. Each begins where the one before it ends.
pub(super) type Ends = [u32; ENDS];

/// All parts, one behind the other.
#[derive(Clone)]
pub(super) enum Text {
    Inline { text: ArrayString<INLINE>, ends: [u8; ENDS] },
    Allocated { text: Box<str>, ends: Ends },
}

impl Text {
    pub(super) fn new(text: &str, ends: Ends) -> Self {
        match ArrayString::from(text) {
            // `as`: none is greater than the length, and `INLINE` fits.
            Ok(text) => Self::Inline { text, ends: ends.map(|end| end as u8) },
            Err(_) => Self::Allocated { text: text.into(), ends },
        }
    }

    pub(super) fn part(&self, part: Part) -> &str {
        let part = part as usize;
        let (text, end, start) = match self {
            Self::Inline { text, ends } => {
                let at = |place: usize| ends.get(place).map(|&end| usize::from(end));
                (text.as_str(), at(part), part.checked_sub(1).and_then(at))
            }
            Self::Allocated { text, ends } => {
                let at = |place: usize| ends.get(place).map(|&end| end as usize);
                (&**text, at(part), part.checked_sub(1).and_then(at))
            }
        };
        text.get(start.unwrap_or(0)..end.unwrap_or(text.len())).unwrap_or_default()
    }

    /// Bytes outside of the record.
    pub(super) fn allocated(&self) -> usize {
        match self {
            Self::Inline { .. } => 0,
            Self::Allocated { text, .. } => text.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_same_inline_and_allocated() {
        for message in ["", "m", &"é".repeat(INLINE)] {
            let whole = format!("{message}threadtarget11s");
            let ends = [0, 6, 12, 12, 12, 14].map(|end| message.len() as u32 + end);
            let text = Text::new(&whole, ends);
            assert_eq!(text.part(Part::Message), message);
            assert_eq!((text.part(Part::ThreadName), text.part(Part::Target)), ("thread", "target"));
            assert_eq!((text.part(Part::ModulePath), text.part(Part::File)), ("", ""));
            assert_eq!((text.part(Part::Pairs), text.part(Part::Index)), ("11", "s"));
            assert_eq!(text.allocated(), if message.len() > 2 { whole.len() } else { 0 });
        }
    }

    #[test]
    fn what_just_fits_is_inline() {
        for (length, allocated) in [(INLINE, 0), (INLINE + 1, INLINE + 1)] {
            let text = Text::new(&"x".repeat(length), [length as u32; ENDS]);
            assert_eq!((text.part(Part::Message).len(), text.allocated()), (length, allocated));
        }
    }
}
