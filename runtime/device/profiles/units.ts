/** Whether `units` is on the short list below. Others are taken with a warning: EdgeX leaves the field free. */
export function isKnownUnit(units: string): boolean {
  return KNOWN.has(units)
}

/**
 * Codes of the Unified Code for Units of Measure that appear on gateways, case-sensitive.
 * Source: UCUM, tables of base and derived units; prefixes are written out for the sizes that are in use.
 */
const KNOWN: ReadonlySet<string> = new Set(
  [
    '1 % [ppm] [ppb]',
    'ns us ms s min h d wk mo a',
    'Cel K [degF]',
    'um mm cm m km m2 m3 mm2 cm2 cm3',
    'mL L hL m3/h m3/s L/s L/min L/h mL/min',
    'mg g kg t kg/h kg/m3 g/L mg/L ug/m3 mg/m3',
    'Pa hPa kPa MPa bar mbar [psi]',
    'mV V kV uA mA A mW W kW MW VA kVA var kvar Wh kWh MWh J kJ MJ A.h mA.h Ohm kOhm F uF H mH C T',
    'Hz kHz MHz GHz /min /s /h [rpm]',
    'm/s km/h mm/s m/s2 deg rad deg/s N kN N.m',
    'lx lm cd W/m2 umol/m2/s',
    'dB dB[mW] bit By kBy MBy GBy KiBy MiBy GiBy bit/s kbit/s Mbit/s By/s KiBy/s MiBy/s',
    '[pH] uS/cm mS/cm S/m [NTU]',
  ].flatMap((row) => row.split(' ')),
)
