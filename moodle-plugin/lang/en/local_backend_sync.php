<?php
// This file is part of Moodle - http://moodle.org/
//
// Moodle is free software: you can redistribute it and/or modify
// it under the terms of the GNU General Public License as published by
// the Free Software Foundation, either version 3 of the License, or
// (at your option) any later version.
//
// Moodle is distributed in the hope that it will be useful,
// but WITHOUT ANY WARRANTY; without even the implied warranty of
// MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
// GNU General Public License for more details.
//
// You should have received a copy of the GNU General Public License
// along with Moodle.  If not, see <http://www.gnu.org/licenses/>.

/**
 * English strings.
 *
 * @package    local_backend_sync
 * @copyright  2026 The Backend Sync developers
 * @license    http://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

defined('MOODLE_INTERNAL') || die();

$string['alert_body'] = '{$a->waiting} changes wait to be sent from {$a->site} to the backend, the oldest for {$a->age}. Nothing is lost: they are sent as soon as it works again.

{$a->reason}

{$a->url}';
$string['alert_noreason'] = 'The last delivery did not fail. Check that cron runs: Site administration > Server > Tasks > Scheduled tasks.';
$string['alert_subject'] = '{$a->site}: changes have been waiting for the backend for {$a->age}';
$string['alertminutes'] = 'Tell administrators after';
$string['alertminutes_desc'] = 'Minutes for which changes may wait before administrators get a message: once, and then once a day until they are sent.';
$string['allowhttp'] = 'Allow http';
$string['allowhttp_desc'] = 'Allows a URL with http:// to another machine. Names, email addresses, grades and the token then travel unencrypted: only for a network that nobody else can read. On the same machine (localhost), http is always allowed.';
$string['api_token'] = 'API token';
$string['api_token_desc'] = 'The token of this site. The backend shows it once, at its first start; it makes a new one with: backend-sync site rotate-token';
$string['api_token_invalid'] = 'This is not a token: it holds spaces, line breaks or special characters. Copy it again.';
$string['api_token_keep'] = 'Leave the field empty to keep it.';
$string['api_token_remove'] = 'Remove the token: nothing is sent or recorded any more';
$string['api_token_set'] = 'A token is set. It ends in …{$a}.';
$string['api_token_setshort'] = 'A token is set.';
$string['backend_sync:manage'] = 'Manage deliveries of Backend Sync: send, retry, discard, synchronise everything';
$string['backend_sync:viewstatus'] = 'View the status of Backend Sync and what is sent of a person';
$string['backend_url'] = 'Backend API URL';
$string['backend_url_desc'] = 'Where the backend runs, for example https://sync.college.example. While this or the token is empty, nothing is sent or recorded.';
$string['backfill'] = 'Synchronise everything';
$string['backfill_cancelled'] = 'Cancelled. It was started on {$a->started} and got through {$a->done} of {$a->total} records. Start it again when you like.';
$string['backfill_cli'] = 'On a large site, this is quicker on the command line: php local/backend_sync/cli/backfill.php';
$string['backfill_counts'] = '{$a->done} of {$a->total} records.';
$string['backfill_eta'] = '{$a->rate} in a minute, about {$a->eta} left.';
$string['backfill_finished'] = 'Everything was gone through on {$a->finished}: {$a->total} records. This repeats itself every night, to find what Moodle did not report.';
$string['backfill_force'] = 'Also send what the backend already holds (only needed if the backend lost data)';
$string['backfill_gone'] = 'At work since {$a->started}. All that exists was gone through; now it looks for records that are gone.';
$string['backfill_invite'] = 'The backend only hears of changes made since the settings were saved. Synchronise everything once, so that it gets what was in Moodle before. It runs in the background, can be paused, and may be repeated at any time.';
$string['backfill_requested'] = 'Noted. The scheduled task does this within a minute.';
$string['backfill_paused'] = 'Paused. It was started on {$a->started}.';
$string['backfill_running'] = 'At work since {$a->started}.';
$string['backfillcancel'] = 'Cancel';
$string['backfillcancel_done'] = 'The synchronisation of everything ends within a minute.';
$string['backfillpause'] = 'Pause';
$string['backfillpause_done'] = 'The synchronisation of everything pauses within a minute.';
$string['backfillrate'] = 'Speed of the synchronisation of everything';
$string['backfillrate_desc'] = 'Records in a minute that it reads at most. Lower it if it slows the site down.';
$string['backfillresume'] = 'Resume';
$string['backfillresume_done'] = 'The synchronisation of everything goes on within a minute.';
$string['backfillstart'] = 'Synchronise everything';
$string['backfillstart_done'] = 'The synchronisation of everything begins within a minute.';
$string['backfillstate_cancelled'] = 'cancelled';
$string['backfillstate_finished'] = 'finished';
$string['backfillstate_paused'] = 'paused';
$string['backfillstate_running'] = 'at work';
$string['busy'] = 'Another process is sending at the moment. Try again in a minute.';
$string['check_configurationok'] = 'The settings are complete, what is sent is encrypted or stays on this machine, and the scheduled task runs.';
$string['check_details'] = 'The status page of Backend Sync shows what waits, what was refused and why, and has the buttons to act on it.';
$string['check_unencrypted'] = 'What is sent travels unencrypted, because http is allowed in the settings. Use https.';
$string['checkconfiguration'] = 'Backend Sync: settings and cron';
$string['checkdelivery'] = 'Backend Sync: delivery';
$string['checkrejected'] = 'Backend Sync: refused changes';
$string['cli_backfill_busy'] = 'Another process is sending; waiting for it.';
$string['cli_backfill_help'] = 'Synchronises everything that the site holds with the backend, and shows how far it is. It can be interrupted (Ctrl-C): the
scheduled task goes on with it, and so does this command when it is run again. To really stop it, use --pause or --cancel.

Usage: php local/backend_sync/cli/backfill.php [--force] [--rate=N]
       php local/backend_sync/cli/backfill.php --resume [--rate=N]
       php local/backend_sync/cli/backfill.php --status|--pause|--cancel

Without options it goes on with one that is at work or paused, or else begins a new one.

Options:
  -f, --force    begin anew, and send also what the backend is known to hold
  -r, --rate=N   read at most N records in a minute (default: the setting)
  -s, --status   only say how far it is
      --pause    pause it; the process that is sending does so after the present piece, or else the scheduled task
      --resume   only go on with one that is at work or paused
      --cancel   give it up
  -h, --help     this help

Exit status: 0 everything was gone through, or the order was noted; 1 deliveries fail, or the settings don\'t allow them;
2 wrong usage; 3 it was paused, cancelled or interrupted, or there was none to resume.';
$string['cli_backfill_nothing'] = 'There is no synchronisation of everything to go on with. Without --resume, a new one begins.';
$string['cli_eta'] = '{$a->rate} in a minute, {$a->eta} left';
$string['cli_send_help'] = 'Sends the changes that wait, now, without waiting after a failure.

Usage: php local/backend_sync/cli/send.php [--seconds=N] [--settle-here] [--reset-versions] [--quiet]

Options:
  -s, --seconds=N   how long at most (default 3600)
  --settle-here     the site has moved to another address, and no copy of it sends with this token
  --reset-versions  the clock was ahead and is right now: number changes from now on again, and send everything again
  -q, --quiet       print nothing but errors
  -h, --help        this help

Exit status: 0 nothing waits any more; 1 something still waits, or the delivery failed; 3 another process is sending.';
$string['cli_status_help'] = 'Says how the deliveries to the backend stand.

Usage: php local/backend_sync/cli/status.php [--json]

Options:
  -j, --json   for programs; times are Unix seconds
  -h, --help   this help

Exit status: 0 all is well, or not set up yet; 1 deliveries fail, changes have been waiting too long or were refused, or the
scheduled task does not run; 2 wrong usage.';
$string['cli_waiting'] = '{$a->waiting} waiting, {$a->postponed} put off, {$a->rejected} refused';
$string['clocks_agree'] = 'The clocks agree by now, so the next try should succeed.';
$string['clocks_ahead'] = 'The clock of this server is {$a->difference} ahead of the backend\'s: it said {$a->local} when the backend\'s said {$a->remote}.';
$string['clocks_behind'] = 'The clock of this server is {$a->difference} behind the backend\'s: it said {$a->local} when the backend\'s said {$a->remote}.';
$string['clocks_remembered'] = 'The clock of this server was ahead and has been put right, but the latest time that it gave to a change is still {$a->ahead} ahead. Have the backend\'s operator run "backend-sync site repair-versions {$a->site}", in case records got such times there; then press "Reset the remembered time".';
$string['clocks_setright'] = 'Set the one that is wrong right, by a time server (NTP); then sending goes on by itself.';
$string['confirm_backfillcancel'] = 'Cancel the synchronisation of everything? It can only be started again from its beginning. To go on later, pause it.';
$string['confirm_discard'] = 'Discard the chosen changes ({$a})? The backend will not hear of them until the records change again.';
$string['confirm_discardall'] = 'Discard all refused changes? The backend will not hear of them until the records change again.';
$string['confirm_resetversions'] = 'Is the clock of this server right now? Then changes get their times from it again, and everything is sent to the backend once more, in the background.';
$string['confirm_acceptsite'] = 'Has the site moved to this address, so that no other copy of it sends to the backend with this token? Then sending goes on.';
$string['connecttimeout'] = 'Time for the connection';
$string['connecttimeout_desc'] = 'Seconds to wait for a connection to the backend.';
$string['count_postponed'] = '{$a} were put off, because the backend failed at them.';
$string['count_postponed_one'] = '1 was put off, because the backend failed at it.';
$string['count_rejected'] = '{$a} were refused; see below why.';
$string['count_rejected_one'] = '1 was refused; see below why.';
$string['count_rejectedwait'] = 'The backend refused {$a} changes. See why on the status page, then retry or discard them.';
$string['count_rejectedwait_one'] = 'The backend refused 1 change. See why on the status page, then retry or discard it.';
$string['count_sent'] = '{$a} changes were sent.';
$string['count_sent_one'] = '1 change was sent.';
$string['count_unchanged'] = '{$a} needed no sending.';
$string['count_unchanged_one'] = '1 needed no sending.';
$string['count_waiting'] = '{$a} changes wait';
$string['count_waiting_one'] = '1 change waits';
$string['discard'] = 'Discard';
$string['discardall'] = 'Discard all ({$a})';
$string['discarded'] = 'Discarded.';
$string['event_created'] = 'created';
$string['event_deleted'] = 'deleted';
$string['event_updated'] = 'changed';
$string['eventdeliveryfailed'] = 'Delivery to the backend failed';
$string['eventdeliveryrecovered'] = 'Delivery to the backend works again';
$string['eventeventrejected'] = 'Change refused by the backend';
$string['field_completion_completionid'] = 'ID of the completion';
$string['field_completion_courseid'] = 'ID of the course';
$string['field_completion_timecompleted'] = 'When the course was completed';
$string['field_completion_userid'] = 'ID of the user';
$string['field_course_categoryid'] = 'ID of the category';
$string['field_course_categoryname'] = 'Name of the category';
$string['field_course_courseid'] = 'ID of the course';
$string['field_course_enddate'] = 'End date';
$string['field_course_format'] = 'Course format';
$string['field_course_fullname'] = 'Full name';
$string['field_course_idnumber'] = 'ID number';
$string['field_course_shortname'] = 'Short name';
$string['field_course_startdate'] = 'Start date';
$string['field_course_timecreated'] = 'When it was created';
$string['field_course_timemodified'] = 'When it was last changed';
$string['field_course_visible'] = 'Whether students see it';
$string['field_enrolment_courseid'] = 'ID of the course';
$string['field_enrolment_enabled'] = 'Whether the method is enabled';
$string['field_enrolment_enrol'] = 'Enrolment method';
$string['field_enrolment_enrollmentid'] = 'ID of the enrolment';
$string['field_enrolment_roles'] = 'Roles in the course';
$string['field_enrolment_status'] = 'Whether the enrolment is suspended';
$string['field_enrolment_timecreated'] = 'When it was made';
$string['field_enrolment_timeend'] = 'When it ends';
$string['field_enrolment_timemodified'] = 'When it was last changed';
$string['field_enrolment_timestart'] = 'When it begins';
$string['field_enrolment_userid'] = 'ID of the user';
$string['field_grade_courseid'] = 'ID of the course';
$string['field_grade_feedback'] = 'Feedback';
$string['field_grade_finalgrade'] = 'Grade';
$string['field_grade_gradeid'] = 'ID of the grade';
$string['field_grade_grademax'] = 'Highest grade';
$string['field_grade_grademin'] = 'Lowest grade';
$string['field_grade_gradepass'] = 'Grade to pass';
$string['field_grade_grader'] = 'ID of the user who graded';
$string['field_grade_gradetext'] = 'Grade in words (scale)';
$string['field_grade_gradetype'] = 'Type of grade: value, scale, text';
$string['field_grade_hidden'] = 'Whether it is hidden';
$string['field_grade_itemid'] = 'ID of the grade item';
$string['field_grade_itemidnumber'] = 'ID number of the item';
$string['field_grade_iteminstance'] = 'ID of the activity';
$string['field_grade_itemmodule'] = 'Activity module';
$string['field_grade_itemname'] = 'Name of the grade item';
$string['field_grade_itemtype'] = 'Type of the item: activity, manual, category total, course total';
$string['field_grade_scale'] = 'Entries of the scale';
$string['field_grade_scaleid'] = 'ID of the scale';
$string['field_grade_timecreated'] = 'When the work was submitted';
$string['field_grade_timemodified'] = 'When the grade was given';
$string['field_grade_userid'] = 'ID of the user';
$string['field_user_auth'] = 'How the user logs in';
$string['field_user_city'] = 'City or town';
$string['field_user_confirmed'] = 'Whether the email address was confirmed';
$string['field_user_country'] = 'Country';
$string['field_user_department'] = 'Department';
$string['field_user_email'] = 'Email address';
$string['field_user_firstname'] = 'First name';
$string['field_user_idnumber'] = 'ID number';
$string['field_user_institution'] = 'Institution';
$string['field_user_lang'] = 'Preferred language';
$string['field_user_lastname'] = 'Last name';
$string['field_user_phone1'] = 'Phone';
$string['field_user_phone2'] = 'Mobile phone';
$string['field_user_suspended'] = 'Whether the account is suspended';
$string['field_user_timecreated'] = 'When the account was created';
$string['field_user_timemodified'] = 'When the account was last changed';
$string['field_user_timezone'] = 'Time zone';
$string['field_user_userid'] = 'ID of the user';
$string['field_user_username'] = 'Login name';
$string['fields_completion'] = 'Fields of completions';
$string['fields_course'] = 'Fields of courses';
$string['fields_desc'] = 'By default, all. IDs always go.';
$string['fields_enrolment'] = 'Fields of enrolments';
$string['fields_grade'] = 'Fields of grades';
$string['fields_user'] = 'Fields of users';
$string['heading_how'] = 'How it is sent';
$string['heading_how_desc'] = 'The defaults are good for nearly every site.';
$string['heading_what'] = 'What is sent';
$string['heading_what_desc'] = 'Choose what leaves this site. IDs always go with a record, because they say which record it is. A change here holds for what is sent from now on. To empty fields at the backend that were sent before, save, then synchronise everything on the status page. Of a kind that is switched off, the backend keeps what it has.';
$string['immediate'] = 'Send at once';
$string['immediate_desc'] = 'Sends a change within a second, after the page has gone to the browser, so nobody waits. Otherwise the scheduled task sends it within a minute.';
$string['immediate_impossible'] = 'This web server cannot do it, because PHP runs neither as PHP-FPM nor under LiteSpeed: the scheduled task sends every change within a minute, whatever is chosen here.';
$string['kind_completion'] = 'Course completion';
$string['kind_course'] = 'Course';
$string['kind_enrolment'] = 'Enrolment';
$string['kind_grade'] = 'Grade';
$string['kind_user'] = 'User';
$string['kinds_completion'] = 'Course completions';
$string['kinds_enrolment'] = 'Enrolments';
$string['kinds_grade'] = 'Grades';
$string['kinds_user'] = 'Account';
$string['level_error'] = 'Error';
$string['level_info'] = 'To do';
$string['level_ok'] = 'OK';
$string['level_warning'] = 'Warning';
$string['messageprovider:waiting'] = 'Changes have been waiting for the backend for too long';
$string['never_asked'] = 'not asked yet';
$string['number_backend'] = 'Name of this site at the backend';
$string['number_backend_version'] = 'backend version {$a}';
$string['number_lastsuccess'] = 'Last delivery';
$string['number_lasttask'] = 'Last run of the scheduled task';
$string['number_postponed'] = 'Put off';
$string['number_postponed_hint'] = 'to be sent later, for example when a hidden grade is shown';
$string['number_rejected'] = 'Refused';
$string['number_sentday'] = 'Sent in 24 hours';
$string['number_senthour'] = 'Sent in this and the last hour';
$string['number_waiting'] = 'Waiting';
$string['number_waiting_age'] = 'the oldest for {$a}';
$string['outcome_held'] = 'Up to date';
$string['outcome_held_why'] = 'The backend holds this very state already, so it is not sent again.';
$string['outcome_nottaken'] = 'Not sent';
$string['outcome_nottaken_why'] = 'The backend does not take this type of event. Update the backend.';
$string['outcome_sent'] = 'Would be sent';
$string['outcome_withdrawn'] = 'Taken back';
$string['outcome_withdrawn_why'] = 'This grade is hidden now, but was sent before, so the backend is told to delete it. Nothing but these IDs is sent.';
$string['outcome_withheld'] = 'Withheld';
$string['outcome_withheld_user'] = 'This is the guest account, which is nobody. It does not leave the site.';
$string['outcome_withheld_why'] = 'This grade is hidden in Moodle, so it does not leave the site until it is shown.';
$string['outofrange'] = 'Enter a whole number from {$a->min} to {$a->max}.';
$string['pluginname'] = 'Backend Sync';
$string['preview'] = 'What is sent';
$string['preview_choose'] = 'Several people match. Choose one:';
$string['preview_cut'] = 'Only the first {$a} are shown. The others are sent in the same way.';
$string['preview_desc'] = 'Choose a person to see exactly what would leave this site now with the settings as they are. Courses are sent, too, but hold nothing of a person.';
$string['preview_empty'] = 'empty';
$string['preview_json'] = 'As JSON';
$string['preview_json_desc'] = 'An id, the time and a sequence number are added when it is sent.';
$string['preview_more'] = 'Only the first {$a} are shown. Search for more of the name.';
$string['preview_nobody'] = 'Nobody found. Check the spelling; deleted accounts are not shown.';
$string['preview_none'] = 'There is nothing of this kind.';
$string['preview_null'] = 'no value (null)';
$string['preview_off'] = 'Nothing of this kind leaves the site: it is switched off in the settings.';
$string['preview_search'] = 'Name, login name, email address, ID number or ID';
$string['preview_show'] = 'Show';
$string['privacy:metadata:backend_completion'] = 'Completions of courses are sent to the backend, which feeds the CRM.';
$string['privacy:metadata:backend_course'] = 'Courses are sent to the backend, which feeds the CRM. They hold no personal data.';
$string['privacy:metadata:backend_enrolment'] = 'Enrolments, with the roles in the course, are sent to the backend, which feeds the CRM.';
$string['privacy:metadata:backend_grade'] = 'Grades are sent to the backend, which feeds the CRM; hidden ones only if the site wants it.';
$string['privacy:metadata:backend_user'] = 'The accounts of all users are sent to the backend, which feeds the CRM.';
$string['privacy:metadata:code'] = 'The backend\'s code for the reason why it refused the change';
$string['privacy:metadata:courseid'] = 'The ID of the course';
$string['privacy:metadata:detail'] = 'The reason in words';
$string['privacy:metadata:event'] = 'Whether the record was created, updated or deleted';
$string['privacy:metadata:hash'] = 'A digest of the state that was sent last';
$string['privacy:metadata:itemid'] = 'The ID of the grade item';
$string['privacy:metadata:kind'] = 'The kind of record, such as grade or enrolment';
$string['privacy:metadata:objectid'] = 'The ID of the record';
$string['privacy:metadata:outbox'] = 'Changes that wait to be sent. They hold ids, not the data itself.';
$string['privacy:metadata:rejected'] = 'Changes that the backend refused.';
$string['privacy:metadata:sent'] = 'What the backend is known to hold: which records, and a digest of the state that was sent last.';
$string['privacy:metadata:timecreated'] = 'When the row was written';
$string['privacy:metadata:timedue'] = 'The time before which it is not sent';
$string['privacy:metadata:timesent'] = 'When it was sent last';
$string['privacy:metadata:userid'] = 'The ID of the user whom the record is about';
$string['privacy:path:outbox'] = 'Changes that wait to be sent';
$string['privacy:path:rejected'] = 'Changes that the backend refused';
$string['privacy:path:sent'] = 'What the backend holds';
$string['reason_blocked'] = 'Moodle blocks this address by its HTTP security settings (Site administration > General > Security > HTTP security).';
$string['reason_clockahead'] = 'The backend takes nothing from this site at the moment, because the times that this site gives to changes are ahead of the backend\'s clock.';
$string['reason_connecttimeout'] = 'No connection to {$a->url} within the time allowed. Usually a firewall swallows the connection, or the address is wrong.';
$string['reason_contractversion'] = 'The backend speaks another version of the contract than this plugin. Update the older of the two.';
$string['reason_detail'] = '({$a})';
$string['reason_dns'] = 'The host name "{$a->host}" was not found. Check its spelling in the backend API URL, and the name service (DNS) of this server.';
$string['reason_insecureurl'] = 'The backend API URL begins with http:// and leads to another machine, so personal data would travel unencrypted. Use https://, or allow http in the settings.';
$string['reason_invalidurl'] = 'The backend API URL is not valid. It should look like https://sync.college.example, without user name, query or fragment.';
$string['reason_network'] = 'The connection to {$a->url} failed.';
$string['reason_notconfigured'] = 'The backend API URL or the API token is not set. Set both in the settings of Backend Sync.';
$string['reason_notcontract'] = 'What answers at {$a->url} is not a Backend Sync backend, or something between changes its answers (HTTP {$a->status}).';
$string['reason_notfound'] = 'There is no backend at {$a->url} (HTTP {$a->status}). Set the URL without a path, unless a reverse proxy serves the backend under one.';
$string['reason_othersite'] = 'This Moodle was copied or moved from another address. Nothing is sent, because a copy would overwrite what the original site sends. If it is a copy, give it a token of its own, or remove the token. If the site has only moved, confirm it on the status page.';
$string['reason_redirect'] = 'The backend API URL leads to a redirect (HTTP {$a->status}), which is not followed because the token would be given away. Set the final address.';
$string['reason_refused'] = 'No connection to {$a->url}: nothing accepts connections there. Check that the backend is running, the port in the URL, and firewalls.';
$string['reason_servererror'] = 'The backend had a fault (HTTP {$a->status}); its log tells which. It is tried again by itself.';
$string['reason_timeout'] = 'The backend accepted the connection but did not answer in time. It may be overloaded; or allow it more time in the settings.';
$string['reason_tls'] = 'There is no trusted encrypted connection to {$a->host}. Check that its certificate is for that host name, has not expired, and is signed by an authority that this server trusts, and that https is spoken at the port in the URL.';
$string['reason_unauthorized'] = 'The backend does not accept the API token (HTTP {$a->status}). Copy the token of this site again; the backend makes a new one with: backend-sync site rotate-token';
$string['reason_unavailable'] = 'The backend is not available at the moment (HTTP {$a->status}). It is tried again by itself.';
$string['rejected'] = 'Refused changes';
$string['rejected_desc'] = 'The backend refused these because of what they hold. They don\'t hinder others. Correct the cause, then retry: the record is sent as it is then. Refused changes also vanish by themselves when the record changes and is taken.';
$string['rejected_none'] = 'The backend has not refused any change.';
$string['rejected_reason'] = 'Reason';
$string['rejected_superseded'] = 'The backend holds a newer state of this record than the one sent, so it ignored it. The clock of this server or of a former one was probably ahead, or the person was erased there. Check the clock, then retry. If that does not help, the backend\'s operator repairs such records with: backend-sync site repair-versions NAME';
$string['rejected_what'] = 'Change';
$string['rejected_when'] = 'When';
$string['resetversions'] = 'Reset the remembered time';
$string['resetversions_differ'] = 'Nothing was reset. {$a} Set the one that is wrong right, by a time server (NTP), then try again.';
$string['resetversions_done'] = 'The remembered time was reset. Sending goes on, and everything is sent once more in the background. If changes are refused because the backend holds a newer state, its operator repairs such records with: backend-sync site repair-versions {$a}. Then press "Retry all".';
$string['resetversions_notneeded'] = 'There is nothing to reset: the remembered time is not ahead of the backend\'s clock by more than it allows.';
$string['retry'] = 'Retry';
$string['retryall'] = 'Retry all ({$a})';
$string['selectone'] = 'Nothing was chosen. Tick at least one change.';
$string['send_completion'] = 'Send course completions';
$string['send_completion_desc'] = 'When somebody completed a course.';
$string['send_course'] = 'Send courses';
$string['send_course_desc'] = 'Courses: when they are created, changed or deleted.';
$string['send_enrolment'] = 'Send enrolments';
$string['send_enrolment_desc'] = 'Who is enrolled in which course, since when, and with which roles.';
$string['send_grade'] = 'Send grades';
$string['send_grade_desc'] = 'Grades of activities, and course totals, with their feedback.';
$string['send_user'] = 'Send users';
$string['send_user_desc'] = 'Accounts: when they are created, changed or deleted.';
$string['sendhidden'] = 'Send hidden grades';
$string['sendhidden_desc'] = 'Also grades that students do not see yet. Otherwise a grade is sent when it is shown, and taken back when it is hidden.';
$string['sendnow'] = 'Send now';
$string['settings'] = 'Settings';
$string['settings_title'] = 'Backend Sync settings';
$string['acceptsite'] = 'This is the right site';
$string['status'] = 'Status';
$string['status_title'] = 'Status of Backend Sync';
$string['summary_more'] = 'More waits: the scheduled task goes on with it within a minute.';
$string['summary_wait'] = 'The backend failed a moment ago. It is tried again in {$a}.';
$string['taskreconcile'] = 'Compare everything with what the backend holds';
$string['tasksend'] = 'Send changes to the backend';
$string['test_clockahead'] = 'The clock of this server is {$a} ahead of the backend\'s. Set both by a time server (NTP): the backend takes the state with the later time for the newer one.';
$string['test_clockbehind'] = 'The clock of this server is {$a} behind the backend\'s. Set both by a time server (NTP): the backend takes the state with the later time for the newer one.';
$string['test_intro'] = 'This asks {$a} whether it takes the token of this site, with the settings as they are saved.';
$string['test_success'] = 'The connection works. For the backend, this site is "{$a->site}". Backend version {$a->version}, answer after {$a->ms} ms.';
$string['test_types'] = 'This backend does not take all that is to be sent, so these are left out: {$a}. Update the backend.';
$string['testagain'] = 'Test again';
$string['testconnection'] = 'Test connection';
$string['timeout'] = 'Time for an answer';
$string['timeout_desc'] = 'Seconds to wait for the backend\'s answer to a request. Raise it if the status page tells of time-outs.';
$string['verdict_failing'] = 'Deliveries have failed since {$a->since}: {$a->reason} {$a->waiting}, and nothing is lost. {$a->retry}';
$string['verdict_notconfigured'] = 'Not set up yet. Set the backend API URL and the API token in the settings, save, and test the connection. Until then, nothing is sent or recorded.';
$string['verdict_nothingsent'] = 'Set up. Nothing has been sent so far: test the connection, then synchronise everything on the status page.';
$string['verdict_retry'] = 'Next try in {$a}.';
$string['verdict_retrysoon'] = 'Next try at the next run of the scheduled task.';
$string['verdict_retrystuck'] = 'No try comes by itself, because Moodle planned the scheduled task by a clock that was ahead. Press "Send now" on the status page.';
$string['verdict_taskahead'] = 'The last run of the scheduled task was on {$a}, which is yet to come: the clock of this server was ahead, and until then Moodle starts no task that ran meanwhile. "Send now" on the status page plans the tasks of Backend Sync anew; for all others, see Site administration > Server > Tasks > Scheduled tasks.';
$string['verdict_tasklate'] = 'The scheduled task that sends changes has not run for {$a}. Check that cron runs, and that the task "Send changes to the backend" is enabled: Site administration > Server > Tasks > Scheduled tasks.';
$string['verdict_taskneverran'] = 'The scheduled task that sends changes has never run. Check that cron runs, and that the task "Send changes to the backend" is enabled: Site administration > Server > Tasks > Scheduled tasks.';
$string['verdict_waiting'] = '{$a->waiting}, the oldest for {$a->age}. Nothing is lost. If this goes on, look at the log of the scheduled task "Send changes to the backend".';
$string['verdict_well'] = 'All is well. Nothing is waiting; the last delivery was {$a} ago.';
$string['verdict_wellwaiting'] = 'All is well. {$a} for the next delivery.';
