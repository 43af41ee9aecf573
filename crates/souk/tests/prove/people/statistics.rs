//! Whether two lots of figures are one.

/// The middle of them, or the mean of the two middle ones.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[half],
        _ => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

/// What that part of them is not above: 0.999 of a thousand is the last but one.
pub(crate) fn percentile<T: Copy + Ord>(values: &[T], part: f64) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied()
}

/// The two-sample test of Kolmogorov and Smirnov: how likely lots of one kind differ that much.
/// Numerical Recipes, 14.3.
pub(crate) fn likeness(one: &[f64], other: &[f64]) -> f64 {
    let (mut one, mut other) = (one.to_vec(), other.to_vec());
    one.sort_by(f64::total_cmp);
    other.sort_by(f64::total_cmp);
    let (n, m) = (one.len(), other.len());
    if n == 0 || m == 0 {
        return 0.0;
    }
    let (mut i, mut j, mut gap) = (0, 0, 0.0_f64);
    while i < n && j < m {
        let at = one[i].min(other[j]);
        while i < n && one[i] <= at {
            i += 1;
        }
        while j < m && other[j] <= at {
            j += 1;
        }
        gap = gap.max((i as f64 / n as f64 - j as f64 / m as f64).abs());
    }
    let size = ((n * m) as f64 / (n + m) as f64).sqrt();
    let lambda = (size + 0.12 + 0.11 / size) * gap;
    if lambda < 0.2 {
        return 1.0;
    }
    let term = |k: i32| {
        let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
        sign * (-2.0 * f64::from(k * k) * lambda * lambda).exp()
    };
    (1..=100).map(term).sum::<f64>().clamp(0.0, 1.0)
}

#[test]
fn the_statistics_of_people_know_like_from_unlike() {
    let numbers = |from: u32, step: f64| -> Vec<f64> {
        (0..2_000).map(|n| f64::from(from) + f64::from(n * 7919 % 2_000) * step).collect()
    };
    assert!(likeness(&numbers(0, 1.0), &numbers(3, 1.0)) > 0.9);
    // a shift by a tenth of the whole range is seen at once
    assert!(likeness(&numbers(0, 1.0), &numbers(200, 1.0)) < 1e-6);
    // as in the tables: 1.358 is the limit of one in twenty for large lots
    let p = likeness(&numbers(0, 1.0), &numbers(86, 1.0));
    assert!((0.04..0.06).contains(&p), "{p}");
    assert!((median(&[3.0, 1.0, 2.0, 10.0]) - 2.5).abs() < 1e-9);
    let thousand: Vec<u32> = (1..=1_000).collect();
    assert_eq!(percentile(&thousand, 0.999), Some(999));
    assert_eq!(percentile(&[7_u32], 0.999), Some(7));
}
