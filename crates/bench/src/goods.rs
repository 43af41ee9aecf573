//! Generated products: a name, about 200 characters of description, a price, a stock, one of 50
//! categories, one of 40 brands, 5 tags.

use std::fmt::Write;

use crate::dice::Dice;

/// Number of categories.
pub(crate) const CATEGORIES: usize = 50;

const BRANDS: usize = 40;

const WORDS: [&str; 32] = [
    "amber", "basket", "candle", "copper", "cotton", "cradle", "dusk", "feather", "garden",
    "glass", "harbor", "ivory", "kettle", "lantern", "linen", "maple", "mirror", "needle", "olive",
    "paper", "pepper", "quilt", "ribbon", "saddle", "silver", "spoon", "thistle", "timber",
    "velvet", "walnut", "willow", "woolen",
];

/// The path of a category, from 0.
pub(crate) fn category(number: usize) -> String {
    format!("goods-{number:02}")
}

/// A CSV file of `count` products with columns named like fields.
pub(crate) fn csv(count: usize) -> String {
    let mut dice = Dice::new(count as u64);
    let mut file = String::with_capacity(count * 360 + 100);
    file.push_str("sku,name,description,price,stock,category,brand,tags\n");
    for number in 0..count {
        let name = format!("{} {} {number}", dice.pick(&WORDS), dice.pick(&WORDS));
        let description = description(&mut dice);
        let (euros, cents, stock) =
            (1 + dice.below(500), dice.below(100), 100_000 + dice.below(1000));
        let category = category(dice.below(CATEGORIES));
        let brand = dice.below(BRANDS);
        let first = dice.below(WORDS.len());
        // A step that has no divisor in common with the number of words: five different ones.
        let tags: Vec<&str> = (0..5).map(|at| WORDS[(first + at * 5) % WORDS.len()]).collect();
        let tags = tags.join(",");
        // Writing to a string cannot fail.
        let _ = writeln!(
            file,
            "B-{number:06},{name},{description},{euros}.{cents:02},{stock},{category},\
             brand {brand},\"{tags}\""
        );
    }
    file
}

/// Two words of many, as one types them into a search: `amber+basket`.
pub(crate) fn words(dice: &mut Dice) -> String {
    format!("{}+{}", dice.pick(&WORDS), dice.pick(&WORDS))
}

fn description(dice: &mut Dice) -> String {
    let mut text = String::with_capacity(220);
    while text.len() < 195 {
        let word: &str = dice.pick::<&str>(&WORDS);
        text.push_str(word);
        text.push(' ');
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_the_same_in_every_run_and_shaped_as_stated() {
        let file = csv(1000);
        assert_eq!(file, csv(1000));
        let lines: Vec<&str> = file.lines().skip(1).collect();
        assert_eq!(lines.len(), 1000);
        for line in &lines {
            let cells: Vec<&str> = line.splitn(8, ',').collect();
            assert!((180..=220).contains(&cells[2].len()), "{line}");
            let mut tags: Vec<&str> = cells[7].trim_matches('"').split(',').collect();
            tags.sort_unstable();
            tags.dedup();
            assert_eq!(tags.len(), 5, "{line}");
        }
        for number in 0..CATEGORIES {
            assert!(file.contains(&category(number)));
        }
    }
}
