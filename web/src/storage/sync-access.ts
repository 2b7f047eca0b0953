/** The part of the File System standard that is for workers only, and so is not among TypeScript's types for pages. */

/** An open file, read and written without waiting. Exclusive: nobody else can open it until it is closed. */
export interface SyncAccessHandle {
  read(buffer: Uint8Array, options: { at: number }): number;
  write(buffer: Uint8Array, options: { at: number }): number;
  getSize(): number;
  truncate(sizeBytes: number): void;
  flush(): void;
  close(): void;
}

/** A file that a worker can open so. */
export interface SyncFileHandle extends FileSystemFileHandle {
  createSyncAccessHandle(): Promise<SyncAccessHandle>;
}
