//! The texts of a record, in storage that travels with it.

use arrayvec::ArrayString;

/// Bytes of text that are kept inside the record: enough for the message, the target and the thread's name of most.
///
/// An allocation of its own for each would be made on the caller's thread and freed on the listener's, which costs the
/// caller more than formatting the message. More bytes would make the record larger than two cache lines.
const INLINE: usize = 68;
/// The same, where the message is not among them.
const BESIDE_LITERAL: usize = 52;

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
pub(super) const ENDS: usize = Part::Index as usize;

/// Where each part ends, but for the last. Each begins where the one before it ends.
pub(super) type Ends = [u32; ENDS];

/// All parts, one behind the other. A literal message is not copied.
#[derive(Clone)]
pub(super) enum Text {
    Inline { text: ArrayString<INLINE>, ends: [u8; ENDS] },
    Literal { message: &'static str, text: ArrayString<BESIDE_LITERAL>, ends: [u8; ENDS] },
    Allocated { message: Option<&'static str>, text: Box<str>, ends: Ends },
}

impl Text {
    /// The message is the first part of the text, unless it is a literal.
    pub(super) fn new(message: Option<&'static str>, text: &str, ends: Ends) -> Self {
        // None is greater than the length, which is small where it matters.
        let small = ends.map(|end| u8::try_from(end).unwrap_or(u8::MAX));
        let inline = match message {
            None => ArrayString::from(text).map(|text| Self::Inline { text, ends: small }).ok(),
            Some(message) => ArrayString::from(text).map(|text| Self::Literal { message, text, ends: small }).ok(),
        };
        inline.unwrap_or_else(|| Self::Allocated { message, text: text.into(), ends })
    }

    pub(super) fn message(&self) -> &str {
        match self {
            Self::Literal { message, .. } | Self::Allocated { message: Some(message), .. } => message,
            _ => self.part(Part::Message),
        }
    }

    /// The message, if it is a literal.
    pub(super) fn literal(&self) -> Option<&'static str> {
        match self {
            Self::Literal { message, .. } => Some(message),
            Self::Allocated { message, .. } => *message,
            Self::Inline { .. } => None,
        }
    }

    pub(super) fn part(&self, part: Part) -> &str {
        match self {
            Self::Inline { text, ends } => slice(text, ends, part),
            Self::Literal { text, ends, .. } => slice(text, ends, part),
            Self::Allocated { text, ends, .. } => slice(text, ends, part),
        }
    }

    /// Bytes outside of the record.
    pub(super) fn allocated(&self) -> usize {
        match self {
            Self::Inline { .. } | Self::Literal { .. } => 0,
            Self::Allocated { text, .. } => text.len(),
        }
    }
}

fn slice<'t, End: Copy + TryInto<usize>>(text: &'t str, ends: &[End; ENDS], part: Part) -> &'t str {
    let end_of = |place: usize| ends.get(place).and_then(|&end| end.try_into().ok());
    let start = (part as usize).checked_sub(1).and_then(end_of).unwrap_or(0);
    text.get(start..end_of(part as usize).unwrap_or(text.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_same_wherever_they_are() {
        let long = &*"é".repeat(INLINE);
        for (literal, message, allocated) in [
            (None, "", false),
            (None, "m", false),
            (None, long, true),
            (Some(long), "", false),
            (Some("l"), long, true),
        ] {
            let whole = format!("{message}threadtarget11s");
            let ends = [0, 6, 12, 12, 12, 14].map(|end| u32::try_from(message.len() + end).unwrap());
            let literal: Option<&'static str> = literal.map(|text| &*Box::leak(text.to_owned().into_boxed_str()));
            let text = Text::new(literal, &whole, ends);
            assert_eq!(text.message(), literal.unwrap_or(message));
            assert_eq!((text.part(Part::ThreadName), text.part(Part::Target)), ("thread", "target"));
            assert_eq!((text.part(Part::ModulePath), text.part(Part::File)), ("", ""));
            assert_eq!((text.part(Part::Pairs), text.part(Part::Index)), ("11", "s"));
            assert_eq!(text.allocated(), if allocated { whole.len() } else { 0 });
        }
    }

    #[test]
    fn what_just_fits_is_inline() {
        for (literal, room) in [(None, INLINE), (Some("literal"), BESIDE_LITERAL)] {
            for (length, allocated) in [(room, 0), (room + 1, room + 1)] {
                let text = Text::new(literal, &"x".repeat(length), [u32::try_from(length).unwrap(); ENDS]);
                assert_eq!((text.part(Part::Message).len(), text.allocated()), (length, allocated));
            }
        }
    }
}
