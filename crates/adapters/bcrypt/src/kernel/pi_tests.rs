//! Computes the digits of pi by Machin's formula, pi = 16 arctan(1/5) - 4 arctan(1/239), and compares
//! the tables.

use super::tables::{BOXES, SUBKEYS};

/// Fixed-point number, most significant word first. The first word is the integer part. The last two
/// words absorb rounding errors and are not compared.
type Number = Vec<u32>;
const LENGTH: usize = 1 + 18 + 4 * 256 + 2;

fn divide(number: &mut Number, by: u64) {
    let mut rest = 0;
    for word in number {
        let whole = rest << 32 | u64::from(*word);
        *word = u32::try_from(whole / by).unwrap();
        rest = whole % by;
    }
}

fn add(number: &mut Number, other: &Number) {
    let mut carry = false;
    for (word, other) in number.iter_mut().zip(other).rev() {
        let (sum, over) = word.overflowing_add(*other);
        let (sum, also) = sum.overflowing_add(u32::from(carry));
        (*word, carry) = (sum, over || also);
    }
}

fn subtract(number: &mut Number, other: &Number) {
    let mut borrow = false;
    for (word, other) in number.iter_mut().zip(other).rev() {
        let (rest, under) = word.overflowing_sub(*other);
        let (rest, also) = rest.overflowing_sub(u32::from(borrow));
        (*word, borrow) = (rest, under || also);
    }
}

/// Returns `times` arctan(1/`x`) by the series x^-1 - x^-3/3 + x^-5/5 ….
fn arctan(times: u32, x: u64) -> Number {
    let mut power = vec![0; LENGTH];
    power[0] = times;
    divide(&mut power, x);
    let mut sum = power.clone();
    for odd in (3_u64..).step_by(2) {
        divide(&mut power, x * x);
        let mut term = power.clone();
        divide(&mut term, odd);
        if term.iter().all(|word| *word == 0) {
            break;
        }
        if odd % 4 == 3 { subtract(&mut sum, &term) } else { add(&mut sum, &term) }
    }
    sum
}

#[test]
fn the_tables_are_the_digits_of_pi() {
    let mut pi = arctan(16, 5);
    subtract(&mut pi, &arctan(4, 239));
    let tables = [3].into_iter().chain(SUBKEYS).chain(BOXES.into_iter().flatten());
    let wrong: Vec<_> = tables.zip(&pi).enumerate().filter(|(_, (table, pi))| table != *pi).collect();
    assert_eq!(wrong, []);
    assert_eq!(pi.len() - 2, 1 + SUBKEYS.len() + 4 * 256);
}
