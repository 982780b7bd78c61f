//! Classes and stages of loans by days past due, and what is provided for them.
//!
//! Five classes as in China's rules on risk classification of banks' financial assets; stages as in IFRS 9 (30 days
//! past due is a significant increase in credit risk, 90 days is default, unless the product says otherwise).

use fen_terms::Percent;

/// How sound a loan is.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// Nothing is overdue.
    #[default]
    Normal,
    /// Something is.
    SpecialMention,
    /// Non-performing from here on.
    Substandard,
    /// Repayment in full is unlikely.
    Doubtful,
    /// Little or nothing will come back.
    Loss,
}

impl Class {
    /// All classes, the soundest first.
    pub const ALL: [Self; 5] =
        [Self::Normal, Self::SpecialMention, Self::Substandard, Self::Doubtful, Self::Loss];

    /// The name that people and programs read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::SpecialMention => "special_mention",
            Self::Substandard => "substandard",
            Self::Doubtful => "doubtful",
            Self::Loss => "loss",
        }
    }

    /// Whether it counts as non-performing.
    pub const fn is_non_performing(self) -> bool {
        match self {
            Self::Normal | Self::SpecialMention => false,
            Self::Substandard | Self::Doubtful | Self::Loss => true,
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Normal => 0,
            Self::SpecialMention => 1,
            Self::Substandard => 2,
            Self::Doubtful => 3,
            Self::Loss => 4,
        }
    }
}

/// A product's thresholds and rates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Classes {
    /// More days past due than this make a loan special mention, substandard, doubtful, loss.
    pub more_days_than: [u16; 4],
    /// This many days past due, or more, make stage 2 and stage 3.
    pub stage_days: [u16; 2],
    /// More days past due than this stop interest from being income until it is paid.
    pub non_accrual_days: u16,
    /// What is provided for, of the principal outstanding, by class.
    pub provision: [Percent; 5],
}

impl Default for Classes {
    fn default() -> Self {
        Self {
            more_days_than: [0, 90, 270, 360],
            stage_days: [30, 90],
            non_accrual_days: 89,
            provision: [Percent::ZERO; 5],
        }
    }
}

impl Classes {
    /// Whether each class begins after the one before.
    pub fn thresholds_rise(&self) -> bool {
        self.more_days_than.windows(2).all(|pair| pair[0] < pair[1])
    }

    /// Whether stage 3 begins after stage 2.
    pub fn stages_rise(&self) -> bool {
        self.stage_days[0] < self.stage_days[1]
    }

    /// The class of a loan so many days past due.
    pub fn class(&self, days_past_due: u32) -> Class {
        let passed = self.more_days_than.iter().filter(|days| days_past_due > u32::from(**days)).count();
        Class::ALL.get(passed).copied().unwrap_or(Class::Loss)
    }

    /// The stage of a loan so many days past due: 1, 2 or 3.
    pub fn stage(&self, days_past_due: u32) -> u8 {
        match self.stage_days.iter().filter(|days| days_past_due >= u32::from(**days)).count() {
            0 => 1,
            1 => 2,
            _ => 3,
        }
    }

    /// Whether interest is no income until it is paid.
    pub fn is_non_accrual(&self, days_past_due: u32) -> bool {
        days_past_due > u32::from(self.non_accrual_days)
    }

    /// The rate of provision of a class.
    pub fn provision_of(&self, class: Class) -> Percent {
        self.provision[class.index()]
    }

    /// The least number of days past due, above a given one, at which anything changes.
    pub fn next_threshold(&self, days_past_due: u32) -> Option<u32> {
        let later = self.more_days_than.iter().map(|days| u32::from(*days).saturating_add(1));
        let stages = self.stage_days.iter().map(|days| u32::from(*days));
        let accrual = core::iter::once(u32::from(self.non_accrual_days).saturating_add(1));
        later.chain(stages).chain(accrual).filter(|days| *days > days_past_due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_stages_begin_where_they_say() {
        let classes = Classes::default();
        for (days, class, stage) in [
            (0, Class::Normal, 1),
            (1, Class::SpecialMention, 1),
            (29, Class::SpecialMention, 1),
            (30, Class::SpecialMention, 2),
            (90, Class::SpecialMention, 3),
            (91, Class::Substandard, 3),
            (270, Class::Substandard, 3),
            (271, Class::Doubtful, 3),
            (361, Class::Loss, 3),
        ] {
            assert_eq!((classes.class(days), classes.stage(days)), (class, stage), "{days}");
        }
        assert!(!classes.is_non_accrual(89) && classes.is_non_accrual(90), "at ninety days");
        assert_eq!(classes.next_threshold(0), Some(1));
        assert_eq!(classes.next_threshold(91), Some(271));
        assert_eq!(classes.next_threshold(361), None);
    }
}
