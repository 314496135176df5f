/** Field codes [CELL-2]. */
export const enum Field {
  Status = 0,
  InPlay = 1,
  Held = 2,
  MarketTradedVolume = 3,
  PriceLadder = 4,
  SelectionStatus = 16,
  Price = 17,
  LastTraded = 18,
  TradedVolume = 19,
  NearPrice = 20,
  FarPrice = 21,
  StartingPrice = 22,
  ReductionFactor = 23,
  Back = 32,
  Lay = 33,
  Traded = 34,
  SpBack = 35,
  SpLay = 36,
  DisplayBack = 37,
  DisplayLay = 38,
}

/** In `selection` of a change: the market itself. Also its number in digests [DIG-3]. */
export const MARKET = 0xffff;
/** Most selections of a market. */
export const SELECTIONS_MAX = 1536;
/** Prices are 32-bit numbers of ten-thousandths; the largest stands for infinite. */
export const INFINITE = 2 ** 32 - 1;
/** Amounts and revisions are below this [CELL-5]. */
export const AMOUNT_END = 2 ** 53;

/**
 * Most rungs of a ladder, and of a ladder in one piece: twice what a producer may send at once [ING-14]. Putting a rung in
 * its place moves those behind it, so without a limit a frame of 1 MiB could take minutes.
 */
export const RUNGS_MAX = 4096;

/** Attribute names that travel as a number: place in this list plus one [ATTR-2]. */
export const KNOWN_NAMES =
  'name,sort_priority,version,bet_delay,market_type,fixture,fixture_name,competition,competition_name,sport,start_time,venue,score,betDelay,numberOfActiveRunners,numberOfWinners,complete,crossMatching,runnersVoidable,bspMarket,bspReconciled,turnInPlayEnabled,persistenceEnabled,marketBaseRate,bettingType,suspendTime,openDate,settledTime,timezone,countryCode,regulators,discountAllowed,eachWayDivisor,raceType,removalDate,priceLadderDefinition,lineMaxUnit,lineMinUnit,lineInterval,keyLineDefinition,minute'.split(
    ',',
  );
