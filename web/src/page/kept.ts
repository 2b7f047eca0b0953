/** The page of what is kept on the device. */

import '../elements/pleach-kept/pleach-kept.js';
