//! Figure 4 of \[001\], as its text has it (column 6 line 50 to column 7 line 16, and so on): 39 terminals, ranked T1 to
//! T39, and N = 3. What the structure does, and what peers are told, is compared with this.

/// The relays, each with those it feeds. The source feeds T1, T2 and T3; T13 to T39 feed nobody.
pub(crate) const FIGURE_4: [(u8, [u8; 3]); 12] = [
    (1, [4, 7, 10]),
    (2, [5, 8, 11]),
    (3, [6, 9, 12]),
    (4, [13, 22, 31]),
    (5, [14, 23, 32]),
    (6, [15, 24, 33]),
    (7, [16, 25, 34]),
    (8, [17, 26, 35]),
    (9, [18, 27, 36]),
    (10, [19, 28, 37]),
    (11, [20, 29, 38]),
    (12, [21, 30, 39]),
];
