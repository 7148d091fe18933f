/** The port to one subscriber's transport. The listener has an adapter for HTTP/1.1 and one for HTTP/2. */
export interface Connection {
  /** Hands bytes to the kernel, or queues them. The buffer may be shared: adapters never change it. */
  write(bytes: Uint8Array): void;
  /** Bytes that were written and that the kernel has not taken yet. */
  readonly unsentBytes: number;
  /** Ends the stream cleanly after what was written. */
  end(): void;
  /** Resets the stream at once; what is unsent is dropped. */
  reset(): void;
  /** Calls `listener` once, when the stream is over for whatever reason. */
  onClose(listener: () => void): void;
  /** Calls `listener` once, in a later turn, when everything unsent has gone; never after the stream is over. */
  onDrain(listener: () => void): void;
  /** Lets writes of one turn go out together (writev). Optional. */
  cork?(): void;
  uncork?(): void;
}
