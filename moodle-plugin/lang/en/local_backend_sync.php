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
$string['backend_sync:manage'] = 'Manage deliveries of Backend Sync: send, retry, discard, synchronise everything';
$string['backend_sync:viewstatus'] = 'View the status of Backend Sync and what is sent of a person';
$string['busy'] = 'Another process is sending at the moment. Try again in a minute.';
$string['cli_send_help'] = 'Sends the changes that wait, now, without waiting after a failure.

Usage: php local/backend_sync/cli/send.php [--seconds=N] [--quiet]

Options:
  -s, --seconds=N   how long at most (default 3600)
  -q, --quiet       print nothing but errors
  -h, --help        this help

Exit status: 0 nothing waits any more; 1 something still waits, or the delivery failed; 3 another process is sending.';
$string['cli_waiting'] = '{$a->waiting} waiting, {$a->postponed} put off, {$a->rejected} refused';
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
$string['messageprovider:waiting'] = 'Changes have been waiting for the backend for too long';
$string['pluginname'] = 'Backend Sync';
$string['reason_blocked'] = 'Moodle blocks this address by its HTTP security settings (Site administration > General > Security > HTTP security).';
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
$string['reason_redirect'] = 'The backend API URL leads to a redirect (HTTP {$a->status}), which is not followed because the token would be given away. Set the final address.';
$string['reason_refused'] = 'No connection to {$a->url}: nothing accepts connections there. Check that the backend is running, the port in the URL, and firewalls.';
$string['reason_servererror'] = 'The backend had a fault (HTTP {$a->status}); its log tells which. It is tried again by itself.';
$string['reason_timeout'] = 'The backend accepted the connection but did not answer in time. It may be overloaded; or allow it more time in the settings.';
$string['reason_tls'] = 'The certificate of {$a->host} is not valid for this server. Check that it is for that host name, has not expired, and is signed by an authority that this server trusts.';
$string['reason_unauthorized'] = 'The backend does not accept the API token (HTTP {$a->status}). Copy the token of this site again; the backend makes a new one with: backend-sync site rotate-token';
$string['reason_unavailable'] = 'The backend is not available at the moment (HTTP {$a->status}). It is tried again by itself.';
$string['rejected_superseded'] = 'The backend holds a newer state of this record than the one sent, so it ignored it. The clock of this server or of a former one was probably ahead. Check the clock, then retry.';
$string['status'] = 'Status';
$string['taskreconcile'] = 'Compare everything with what the backend holds';
$string['tasksend'] = 'Send changes to the backend';
