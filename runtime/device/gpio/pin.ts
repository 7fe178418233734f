/**
 * The port to GPIO lines. `onoff-pin.ts` is the real one, `sysfs-pin.ts` stands in where its add-on was not built, and
 * `simulated-pin.ts` is for machines without GPIO; a backend for the character device fits in the same place.
 */
export interface PinBackend {
  readonly name: 'onoff' | 'sysfs' | 'simulated'
  /** @throws FleetstepError `gpio-unusable` */
  openInput(request: InputRequest, events: InputEvents): Promise<InputPin>
  /** Drives `initial` from the moment on at which the line is an output. @throws FleetstepError `gpio-unusable` */
  openOutput(request: OutputRequest): Promise<OutputPin>
}

/** Stands for the chip that the header of a Raspberry Pi is wired to, whatever the model. */
export const SOC_CHIP = 'soc'

export interface PinRequest {
  /** `soc` for the chip that the header of the board is wired to, or the label of any chip. */
  readonly chip: string
  /** Number of the line on its chip; on a Raspberry Pi the BCM number. */
  readonly line: number
  /** The line is low when its value is true. */
  readonly activeLow: boolean
}

export interface InputRequest extends PinRequest {
  readonly edge: Edge
  /** Time that a new level must rest before it counts; 0 for none. */
  readonly debounceMs: number
}

export interface OutputRequest extends PinRequest {
  readonly initial: boolean
}

export type Edge = 'both' | 'rising' | 'falling'

export interface InputEvents {
  /** An edge that was asked for. Edges in quick succession become one: this is no counter of fast pulses. */
  edge(value: boolean): void
}

/** Reading and writing throw FleetstepError `gpio-unusable` if the kernel refuses them. */
export interface InputPin {
  read(): boolean
  close(): void
}

export interface OutputPin {
  /** What the line has, read back from the kernel. */
  read(): boolean
  write(value: boolean): void
  /** How anybody sets the line while this process is gone, or null: the file, and what to write into it. */
  hold(value: boolean): HeldWrite | null
  /** Leaves the line as it is: an output that was let go would float. */
  close(): void
}

export interface HeldWrite {
  readonly file: string
  readonly text: string
}
