// SPDX-License-Identifier: GPL-2.0

//! A list in memory that somebody lends.

use crate::options::Problem;
use core::ops::Deref;

#[derive(Debug)]
pub struct List<'a, T> {
    room: &'a mut [T],
    len: usize,
}

impl<'a, T: Copy> List<'a, T> {
    pub fn new(room: &'a mut [T]) -> Self {
        Self { room, len: 0 }
    }

    pub fn push(&mut self, item: T) -> Result<(), Problem> {
        *self.room.get_mut(self.len).ok_or(Problem::TooMany)? = item;
        self.len += 1;
        Ok(())
    }

    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Takes an item out. The last one gets its place.
    pub fn swap_remove(&mut self, index: usize) -> Option<T> {
        let last = self.len.checked_sub(1)?;
        let item = *self.get(index)?;

        *self.room.get_mut(index)? = *self.room.get(last)?;
        self.len = last;
        Some(item)
    }
}

impl<T> Deref for List<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.room.get(..self.len).unwrap_or(&[])
    }
}
