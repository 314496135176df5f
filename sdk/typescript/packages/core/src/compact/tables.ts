/** Written by `npm run model`. */
/** Where the tables of a model begin [COMPACT-4]. */
export const enum Table {
  /** Whether a frame advances the revision by one. 1 x 2. */
  OneStep = 0,
  /** Steps of the frame's clock. 1 x 16. */
  Time = 2,
  /** The leading bits of such a number, by its length. 9 x 8. */
  TimeTop = 18,
  /** Whether the frame's first delta is about the only market held. 1 x 2. */
  Sole = 90,
  /** Whether a market was published earlier than the frame's clock says. 1 x 2. */
  Aged = 92,
  /** Numbers without a habit: any, of markets, statuses of selections, other fields of selections. 4 x 24. */
  Loose = 94,
  /** The leading bits of numbers that have one, by their length. 9 x 8. */
  Top = 190,
  /** Whether any of the market's fields but its traded volume changes. 1 x 2. */
  MarketFields = 262,
  /** Which of them. 4 x 2. */
  MarketField = 264,
  /** How the market's traded volume follows, by whether any selection's changes and whether there is one. 4 x 4. */
  MarketVolume = 272,
  /** How many selections change, by the length of the number of selections; the last context is for everything anew. 8 x 16. */
  Selections = 288,
  /** Whether a selection changes, by how many are left and by its price. 112 x 2. */
  Touched = 416,
  /** Which of the common fields change, by what is held and by the selection before. 40 x 32. */
  Fields = 640,
  /** Whether any other field changes. 33 x 2. */
  Other = 1920,
  /** Which of them. 80 x 2. */
  OtherField = 1986,
  /** Whether ladders are emptied first. 1 x 2. */
  Cleared = 2146,
  /** How the last price traded is told, by whether traded amounts change. 2 x 3. */
  Last = 2148,
  /** Which of the changed traded amounts it stands at, by how many there are. 8 x 16. */
  LastAt = 2154,
  /** Whether a value goes down: last price, price, projected price, volume, market volume, place of traded, of first rung. 7 x 2. */
  Down = 2282,
  /** By how many steps. 2 x 16. */
  Steps = 2296,
  /** How a selection's traded volume follows, by whether traded amounts change. 2 x 4. */
  Volume = 2328,
  /** Amounts that do not follow. 1 x 24. */
  Odd = 2336,
  /** How a sportsbook's price is told, by whether one is held. 2 x 3. */
  Price = 2360,
  /** How a projected starting price is told, by what is held: nothing, a price, an infinite one. 3 x 4. */
  Near = 2366,
  /** By how much it moves. 2 x 16. */
  NearBy = 2378,
  /** Where the first traded amount stands, by where the best offers stand. 17 x 16. */
  TradedAt = 2410,
  /** How much farther than seven steps. 1 x 16. */
  TradedFar = 2682,
  /** How far the next one is. 4 x 16. */
  TradedGap = 2698,
  /** Whether there is another one, by how many there were. 8 x 2. */
  TradedMore = 2762,
  /** Whether an amount falls. 24 x 2. */
  TradedLess = 2778,
  /** By how much. 1 x 24. */
  TradedFall = 2826,
  /** Whether it is twice an offer that stands there. 8 x 2. */
  TradedOffer = 2850,
  /** Whether that is the lay offer, where both stand. 1 x 2. */
  TradedLay = 2866,
  /** Whether an amount is even. 2 x 2. */
  TradedEven = 2868,
  /** Whether half of it was seen in this piece. 4 x 2. */
  TradedAgain = 2872,
  /** Whether it is a whole number of units. 2 x 2. */
  TradedRound = 2880,
  /** Whole units. 1 x 16. */
  TradedUnits = 2884,
  /** Cents, by the offer that stands there; of everything anew, by the amount before. 12 x 24. */
  TradedCents = 2900,
  /** How many rungs of a ladder change. 10 x 16. */
  Count = 3188,
  /** How many rungs stand between one change and the next. 54 x 16. */
  Gap = 3348,
  /** More than fifteen of them. 1 x 16. */
  GapFar = 4212,
  /** Whether a rung comes into being before the next one that stands. 60 x 2. */
  Enters = 4228,
  /** Where in the hole, by its width. 6 x 16. */
  EntersAt = 4348,
  /** Where in a wide one. 2 x 16. */
  EntersFar = 4444,
  /** By how much it beats the best, by the room there is. 6 x 16. */
  Beats = 4476,
  /** How far behind the last one. 9 x 16. */
  Behind = 4572,
  /** Where the first rung of an empty ladder stands. 3 x 16. */
  First = 4716,
  /** What becomes of a rung. 85 x 8. */
  Changes = 4764,
  /** Whether what a catch-up names is gone. 1 x 2. */
  Gone = 5444,
  /** How the amount of a new rung is told. 22 x 3. */
  New = 5446,
  /** Whether amounts are hidden, by what is held. 3 x 2. */
  Hidden = 5512,
  /** Which of the amounts seen in this piece it is, by how many there are. 3 x 8. */
  Again = 5518,
  /** Whole units. 9 x 16. */
  Units = 5542,
  /** Cents, by what stands there. 28 x 24. */
  Cents = 5686,
  /** Whether a ladder changes beside the price ladder's ticks, and whether there is another such rung in it. 2 x 2. */
  Stray = 6358,
}

/** Length of such a model. */
export const MODEL_BYTES = 6363;
/** First byte of a model with these tables. */
export const LAYOUT = 2;
/** Contexts and symbols of each table. */
export const SIZES = [
  1, 2, 1, 16, 9, 8, 1, 2, 1, 2, 4, 24, 9, 8, 1, 2, 4, 2, 4, 4, 8, 16, 112, 2, 40, 32, 33, 2, 80, 2,
  1, 2, 2, 3, 8, 16, 7, 2, 2, 16, 2, 4, 1, 24, 2, 3, 3, 4, 2, 16, 17, 16, 1, 16, 4, 16, 8, 2, 24, 2,
  1, 24, 8, 2, 1, 2, 2, 2, 4, 2, 2, 2, 1, 16, 12, 24, 10, 16, 54, 16, 1, 16, 60, 2, 6, 16, 2, 16,
  6, 16, 9, 16, 3, 16, 85, 8, 1, 2, 22, 3, 3, 2, 3, 8, 9, 16, 28, 24, 2, 2,
];
