export {
  appNames,
  AppProcesses,
  type AppName,
  type AppProcess,
  type AppProcessesOptions,
  type PlatformServices,
} from './app-processes.js';
