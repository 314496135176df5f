//! Composition root of Oddswire and the oddswire command
