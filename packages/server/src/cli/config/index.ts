/** The configuration of the service. */
export { ConfigFaults, type ConfigSources, type Loaded, loadConfig } from './load.ts';
export { type Config, DEV_DEFAULTS, SETTINGS, type Setting } from './settings.ts';
export { writeConfig } from './write.ts';
