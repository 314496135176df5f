//! A selection: what can be bet on.

use crate::{Attributes, Field, FieldKind, Ladder, Price, Revision, SelectionKey, SelectionStatus};

/// A one-value cell.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Scalar {
    pub(crate) value: u64,
    pub(crate) revision: Revision,
}

impl Scalar {
    /// Sets the value; returns the old one.
    pub(crate) fn set(&mut self, value: u64, revision: Revision) -> u64 {
        if self.value == value {
            return value;
        }
        self.revision = revision;
        std::mem::replace(&mut self.value, value)
    }
}

/// One selection with its cells.
#[derive(Debug, Clone)]
pub struct Selection {
    pub(crate) key: SelectionKey,
    pub(crate) created: Revision,
    pub(crate) revision: Revision,
    pub(crate) scalars: [Scalar; Field::SELECTION.len()],
    pub(crate) ladders: [Ladder; Field::LADDERS.len()],
    pub(crate) attributes: Attributes,
}

impl Selection {
    pub(crate) fn new(key: SelectionKey, created: Revision) -> Self {
        Self {
            key,
            created,
            revision: created,
            scalars: Default::default(),
            ladders: Field::LADDERS.map(|field| Ladder::new(field.is_highest_first())),
            attributes: Attributes::default(),
        }
    }

    /// Its identity.
    pub fn key(&self) -> SelectionKey {
        self.key
    }

    /// When it first appeared.
    pub fn created(&self) -> Revision {
        self.created
    }

    /// When anything of it last changed.
    #[inline]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Its attributes.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Value of a one-value field, 0 when absent.
    ///
    /// # Panics
    /// When the field is not a selection's one-value field; that is a mistake in the caller's code.
    #[inline]
    pub fn value(&self, field: Field) -> u64 {
        assert_eq!(field.kind(), FieldKind::Selection, "{field:?} is not a one-value field of a selection");
        self.scalars[field.slot()].value
    }

    /// When a one-value field last changed.
    ///
    /// # Panics
    /// As [`Selection::value`].
    #[inline]
    pub fn value_revision(&self, field: Field) -> Revision {
        assert_eq!(field.kind(), FieldKind::Selection, "{field:?} is not a one-value field of a selection");
        self.scalars[field.slot()].revision
    }

    /// Value of a price field.
    pub fn price(&self, field: Field) -> Price {
        Price(u32::try_from(self.value(field)).unwrap_or(u32::MAX))
    }

    /// Its status; a status of a later version reads as suspended.
    pub fn status(&self) -> SelectionStatus {
        SelectionStatus::from_code(self.value(Field::SelectionStatus)).unwrap_or(SelectionStatus::Suspended)
    }

    /// One of its ladders.
    ///
    /// # Panics
    /// When the field is not a ladder; that is a mistake in the caller's code.
    #[inline]
    pub fn ladder(&self, field: Field) -> &Ladder {
        assert_eq!(field.kind(), FieldKind::Ladder, "{field:?} is not a ladder");
        &self.ladders[field.slot()]
    }
}
